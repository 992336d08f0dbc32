import Foundation
import Models
import TestSupport
import Testing

@testable import continuo

@Suite("The dose of a model")
struct ModelDoseTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func write(_ text: String) throws {
    try Data(text.utf8).write(to: folder.file(Dose.fileName))
  }

  @Test("steering.json is read back as it was written; without it a folder names nothing")
  func named() throws {
    #expect(try Dose.named(in: folder.url) == nil)
    let dose = Dose(alpha: 7.5, period: 2, direction: .meanDifference)
    try dose.write(to: folder.url)
    #expect(try Dose.named(in: folder.url) == dose)
  }

  @Test("a file that names no dose is refused, with the file and what it should hold")
  func refused() throws {
    for text in [
      "", "[]", "{\"alpha\": 5}", "{\"alpha\": 5, \"period\": 1, \"direction\": \"up\"}",
      "{\"alpha\": 5000, \"period\": 1, \"direction\": \"probe\"}",
      "{\"alpha\": 5, \"period\": 0, \"direction\": \"probe\"}",
      String(repeating: " ", count: 70_000),
    ] {
      try write(text)
      #expect(throws: ModelDoseError.self) { try Dose.named(in: folder.url) }
    }
  }

  @Test("a small model gets a large dose, its own where it names one")
  func usual() throws {
    let place = folder.file("model")
    let model = try MusicGen(folder: URL(fileURLWithPath: SmallCatalogue.model(in: place)))
    #expect(try Dose.usual(for: model) == Dose.small)
    let own = Dose(alpha: 3, period: 4)
    try own.write(to: place)
    #expect(try Dose.usual(for: model) == own)
  }

  @Test("the original intervention pushes a third of few heads, and the published 48 of many")
  func heads() {
    func heads(_ layers: Int, _ heads: Int) -> Int {
      Dose.hardHeads(
        of: LanguageModelConfig(
          layers: layers, heads: heads, hidden: 64 * heads, feedForward: 1, codebooks: 4,
          cardinality: 16))
    }
    #expect(heads(6, 6) == 12 && heads(48, 32) == 48 && heads(1, 1) == 1)
  }
}
