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
}
