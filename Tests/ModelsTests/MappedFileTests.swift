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
}
