import Foundation
import Models
import TestSupport
import Testing

@Suite("Mapped file")
struct MappedFileTests {
  @Test("an empty file maps as nothing; a folder and a missing file are refused by name")
  func oddFiles() throws {
    let folder = try TemporaryFolder()
    try Data().write(to: folder.file("empty"))
    #expect(try MappedFile(url: folder.file("empty")).count == 0)
    for name in ["", "missing"] {
      let url = name.isEmpty ? folder.url : folder.file(name)
      #expect {
        try MappedFile(url: url)
      } throws: { ($0 as? SafetensorsError)?.problem.contains(url.path) == true }
    }
  }

  @Test("a mapping outlives the file's name")
  func unlinked() throws {
    let folder = try TemporaryFolder()
    try Data([1, 2, 3]).write(to: folder.file("a"))
    let file = try MappedFile(url: folder.file("a"))
    try FileManager.default.removeItem(at: folder.file("a"))
    let bytes = file.bytes
    #expect(bytes.byteCount == 3)
    #expect(unsafe bytes.unsafeLoad(fromByteOffset: 2, as: UInt8.self) == 3)
  }

  /// KiB of a file's mapping that take memory.
  private func resident(_ url: URL) throws -> Int {
    // String(contentsOfFile:) reads only the first page of such a file.
    let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/smaps"))
    let lines = String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
      .split(separator: "\n")
    let path = url.resolvingSymlinksInPath().path
    guard let at = lines.firstIndex(where: { $0.hasSuffix(path) }) else { return 0 }
    let line = lines[at...].first { $0.hasPrefix("Rss:") } ?? ""
    return Int(line.filter(\.isNumber)) ?? 0
  }

  @Test("released pages take no memory and are read again when wanted")
  func released() throws {
    let folder = try TemporaryFolder()
    let size = 8 << 20
    let contents = Data((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 7) })
    try contents.write(to: folder.file("a"))
    let file = try MappedFile(url: folder.file("a"))
    func sum() -> Int {
      let bytes = file.bytes
      return (0..<size).reduce(0) {
        $0 &+ $1 &* Int(unsafe bytes.unsafeLoad(fromByteOffset: $1, as: UInt8.self))
      }
    }
    let first = sum()
    #expect(try resident(folder.file("a")) > size >> 11)
    file.releasePages(size / 2 + 5..<size)
    #expect(try resident(folder.file("a")) <= size >> 11)
    #expect(sum() == first)
    file.releasePages()
    #expect(try resident(folder.file("a")) == 0)
    #expect(sum() == first)
  }
}
