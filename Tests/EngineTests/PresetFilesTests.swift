import Engine
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("Files of a bundle")
struct PresetFilesTests {
  private func entries(_ change: (inout [ZipWriter.Entry]) -> Void) throws -> Data {
    let contents = try PresetSamples.bundle().files.contents
    var entries = contents.sorted { $0.key < $1.key }.map {
      ZipWriter.Entry(name: $0.key, data: $0.value)
    }
    change(&entries)
    return ZipWriter.archive(entries)
  }

  /// The reason for which an archive is refused, empty when it is not.
  private func refusal(_ archive: Data) -> String {
    do {
      _ = try PresetFiles(archive: archive, bundle: "evil")
      return ""
    } catch { return "\(error)" }
  }

  @Test("an untouched archive is read back file by file")
  func untouched() throws {
    let bundle = try PresetSamples.bundle()
    #expect(try PresetFiles(archive: bundle.archive, bundle: "good") == bundle.files)
  }

  @Test(
    "paths that leave the bundle are refused",
    arguments: [
      "../preset.json", "/etc/passwd", "/preset.json", "..\\preset.json", "drums/preset.json",
      "./preset.json", "preset.json/", "Preset.json", "evil.sh", "inner.continuo", "probes.bin",
      "C:\\preset.json", "preset.json\u{7}", "preset.json ", "",
    ])
  func paths(name: String) throws {
    let archive = try entries { $0.append(ZipWriter.Entry(name: name, data: Data("x".utf8))) }
    #expect(!refusal(archive).isEmpty)
    let only = ZipWriter.archive([ZipWriter.Entry(name: name, data: Data("x".utf8))])
    #expect(!refusal(only).isEmpty)
  }

  @Test("names that are no text and names with a zero byte are refused")
  func rawNames() throws {
    for bytes in [[0xFF, 0xFE], [0x80], Array("preset.json\0.txt".utf8)] as [[UInt8]] {
      let archive = try entries {
        var entry = ZipWriter.Entry(name: "", data: Data("x".utf8))
        entry.name = bytes
        $0.append(entry)
      }
      #expect(!refusal(archive).isEmpty, "\(bytes)")
    }
  }

  @Test("links, folders and devices are refused")
  func kinds() throws {
    for (mode, word) in [
      (0o120777, "link"), (0o040755, "README.md/"), (0o020644, "device"), (0o060644, "device"),
    ] as [(UInt32, String)] {
      let archive = try entries { entries in
        for index in entries.indices where entries[index].name == Array("README.md".utf8) {
          entries[index].mode = mode
        }
      }
      let refusal = refusal(archive)
      #expect(refusal.contains(word), "\(String(mode, radix: 8)): \(refusal)")
    }
  }

  @Test("a name that occurs twice is refused")
  func twice() throws {
    let archive = try entries { $0.append(ZipWriter.Entry(name: "README.md", data: Data())) }
    #expect(refusal(archive).contains("twice"))
  }

  @Test("an archive that grows a thousandfold is refused while it grows")
  func bomb() throws {
    let data = try Data(contentsOf: fixture("Presets/bomb.zip"))
    #expect(data.count < 16_384)
    #expect(refusal(data).contains("grows to more than"))
  }

  @Test("an honestly compressed archive is read")
  func compressed() throws {
    let data = try Data(contentsOf: fixture("Presets/deflated.zip"))
    let files = try PresetFiles(archive: data, bundle: "good")
    #expect(files.contents["README.md"]?.count == 300)
  }

  @Test("files larger than their name allows are refused")
  func large() throws {
    let archive = try entries {
      $0.append(ZipWriter.Entry(name: "LICENSE", data: Data(count: 256 << 10 + 1)))
    }
    #expect(refusal(archive).contains("LICENSE"))
    let exact = try entries { entries in
      entries.removeAll { $0.name == Array(PresetFiles.sums.utf8) }
      entries.append(ZipWriter.Entry(name: "LICENSE", data: Data(count: 256 << 10)))
    }
    #expect(refusal(exact).contains(PresetFiles.sums))
  }

  @Test("encrypted entries are refused")
  func encrypted() throws {
    var archive = try entries { _ in }
    // Bit 0 of the flags of the first local header and of every directory entry.
    archive[6] |= 1
    var place = archive.startIndex
    while let found = archive.range(of: Data([0x50, 0x4B, 1, 2]), in: place..<archive.endIndex) {
      archive[found.lowerBound + 8] |= 1
      place = found.upperBound
    }
    #expect(!refusal(archive).isEmpty)
  }

  @Test("sums must be there, right, and cover exactly the other files")
  func sums() throws {
    func with(_ text: String?) throws -> String {
      refusal(
        try entries { entries in
          entries.removeAll { $0.name == Array(PresetFiles.sums.utf8) }
          if let text {
            entries.append(ZipWriter.Entry(name: PresetFiles.sums, data: Data(text.utf8)))
          }
        })
    }
    let good = try PresetSamples.bundle().files.sumsText
    #expect(try with(good).isEmpty)
    #expect(try with(nil).contains("has no SHA256SUMS"))
    let first = try #require(good.first)
    #expect(try with((first == "0" ? "1" : "0") + good.dropFirst()).contains("do not match"))
    #expect(try with(good + good).contains("twice"))
    #expect(try with(String(good.split(separator: "\n")[0])).contains("does not cover"))
    let zeros = String(repeating: "0", count: 64)
    #expect(try with(good + "\(zeros)  LICENSE\n").contains("LICENSE"))
    #expect(try with("garbage").contains("not a sum"))
  }

  @Test("a damaged or cut archive is refused")
  func damaged() throws {
    let archive = try entries { _ in }
    #expect(!refusal(archive.prefix(archive.count / 2)).isEmpty)
    #expect(!refusal(Data()).isEmpty && !refusal(Data("PK".utf8)).isEmpty)
    #expect(refusal(Data("not a zip at all".utf8)).contains("no zip"))
  }

  @Test("a folder with a link, another file, a folder or a pipe in it is refused")
  func folders() throws {
    func refused(_ word: String, _ change: (URL) throws -> Void) throws {
      let folder = try TemporaryFolder()
      let url = folder.file("bundle")
      try PresetSamples.bundle().write(to: url)
      _ = try PresetFiles(at: url)
      try change(url)
      #expect { try PresetFiles(at: url) } throws: { "\($0)".contains(word) }
    }
    try refused("a link") { url in
      let readme = url.appendingPathComponent("README.md")
      try FileManager.default.removeItem(at: readme)
      try FileManager.default.createSymbolicLink(
        atPath: readme.path, withDestinationPath: "/etc/passwd")
    }
    try refused("run.sh") { try Data().write(to: $0.appendingPathComponent("run.sh")) }
    try refused("folder or a device") { url in
      try FileManager.default.createDirectory(
        at: url.appendingPathComponent("LICENSE"), withIntermediateDirectories: false)
    }
    try refused("folder or a device") { url in
      _ = unsafe mkfifo(url.appendingPathComponent("LICENSE").path, 0o600)
    }
    try refused("do not match") { url in
      try Data("other".utf8).write(to: url.appendingPathComponent("README.md"))
    }
    try refused("larger than") { url in
      let license = url.appendingPathComponent("LICENSE")
      _ = FileManager.default.createFile(atPath: license.path, contents: nil)
      _ = unsafe truncate(license.path, 1 << 40)
    }
  }
}
