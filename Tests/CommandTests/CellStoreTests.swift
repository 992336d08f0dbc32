import Foundation
import TestSupport
import Testing

@testable import continuo

@Suite("What is kept of evaluations")
struct CellStoreTests {
  private let folder: TemporaryFolder
  private let store: CellStore

  init() throws {
    folder = try TemporaryFolder()
    store = CellStore(folder: folder.url, embedding: 2)
  }

  private var figures: CellFigures {
    var figures = CellFigures(
      plan: CellPlan(suite: "a", method: "m", targets: ["drums"], clips: 2, seconds: 1),
      clips: [
        ClipFigures(
          success: [0.25], reading: [0.5], presence: [1], logit: [2], similarity: .nan, gain: 1)
      ])
    figures.embeddings = [1, 2, 3, 4]
    return figures
  }

  @Test("a part is read back whole, by its own plan and name only")
  func back() throws {
    #expect(store.read(figures.plan, part: "1-1") == nil)
    try store.write(figures, part: "1-1")
    let known = try #require(store.read(figures.plan, part: "1-1"))
    #expect(known.embeddings == [1, 2, 3, 4] && known.clips.count == 1)
    #expect(known.clips[0].similarity.isNaN && known.clips[0].reading == [0.5])
    #expect(store.read(figures.plan, part: "2-2") == nil)
    var other = figures.plan
    other.alpha = 6
    #expect(store.read(other, part: "1-1") == nil)
  }

  @Test("more clips of a cell find what fewer left")
  func more() throws {
    try store.write(figures, part: "1-1")
    var longer = figures.plan
    longer.clips = 200
    #expect(store.read(longer, part: "1-1")?.plan.clips == 200)
    longer.isOfSongs = true
    #expect(store.read(longer, part: "1-1") == nil)
  }

  @Test("a part that was not written to its end is made again")
  func half() throws {
    try store.write(figures, part: "1-1")
    let cells = folder.file("cells")
    for name in try FileManager.default.contentsOfDirectory(atPath: cells.path)
    where name.hasSuffix(".json") {
      try Data("{".utf8).write(to: cells.appendingPathComponent(name))
    }
    #expect(store.read(figures.plan, part: "1-1") == nil)
  }
}
