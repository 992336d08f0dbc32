import Foundation
import Reporting
import Testing

@Suite("Atomic file")
struct AtomicFileTests {
  private func folder() throws -> URL {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "continuo-\(UInt64.random(in: 0...UInt64.max))")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    return url
  }

  @Test("a failure half way leaves the old file whole and nothing beside it")
  func failureKeepsOld() throws {
    struct Stop: Error {}
    let folder = try folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("a.txt")
    try AtomicFile.write(Data("old".utf8), to: file)
    #expect(throws: Stop.self) {
      try AtomicFile.write(to: file) { temporary in
        try Data("half".utf8).write(to: temporary)
        throw Stop()
      }
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == "old")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.txt"])
  }

  @Test("a folder that is not there is an output error that names the file")
  func missingFolder() {
    let file = URL(fileURLWithPath: "/nonexistent-continuo/a.txt")
    #expect {
      try AtomicFile.write(Data(), to: file)
    } throws: { error in
      (error as? OutputError)?.kind == .cannotCreate && "\(error)".contains("a.txt")
    }
  }

  @Test("what a killed process left is removed, what others are writing or own stays")
  func leftovers() throws {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let dead = Process()
    dead.executableURL = URL(fileURLWithPath: "/bin/true")
    try dead.run()
    dead.waitUntilExit()
    let pid = dead.processIdentifier
    let mine = AtomicFile.temporaryPlace(for: folder.appendingPathComponent("c.txt"))
    let stay = [
      "a.txt", ".hidden", ".1-\(pid).part-a", ".x-\(pid).partial-a", mine.lastPathComponent,
    ]
    for name in stay + [".12-\(pid).partial-a.txt"] {
      try Data("x".utf8).write(to: folder.appendingPathComponent(name))
    }
    let take = folder.appendingPathComponent(".34-\(pid).partial-take")
    try FileManager.default.createDirectory(at: take, withIntermediateDirectories: true)
    try Data("x".utf8).write(to: take.appendingPathComponent("codes"))
    #expect(AtomicFile.removeLeftovers(in: folder) == 2)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == stay.sorted())
    #expect(AtomicFile.removeLeftovers(in: folder.appendingPathComponent("none")) == 0)
  }
}
