import Engine
import Foundation
import TestSupport
import Testing

@Suite("continuo manual")
struct ManualCommandTests {
  private static let groff = "/usr/bin/groff"
  private static let bundlePage = fixture("../../Service/continuo-bundle.5").standardizedFileURL

  /// What groff complains about in a page, and what a reader sees.
  private func typeset(_ page: URL) throws -> (complaints: String, text: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.groff)
    process.arguments = ["-man", "-ww", "-Tutf8", "-P-c", page.path]
    let scratch = try TemporaryFolder()
    for name in ["out", "err"] { try Data().write(to: scratch.file(name)) }
    process.standardOutput = try FileHandle(forWritingTo: scratch.file("out"))
    process.standardError = try FileHandle(forWritingTo: scratch.file("err"))
    try process.run()
    process.waitUntilExit()
    func text(_ name: String) throws -> String {
      String(decoding: try Data(contentsOf: scratch.file(name)), as: UTF8.self)
    }
    #expect(process.terminationStatus == 0)
    // Bold is a letter struck twice: a letter, a backspace, the letter again.
    return (try text("err"), try text("out").replacing(/.\u{8}/, with: ""))
  }

  @Test(
    "every page is set without a complaint, and tells every command and every address",
    .enabled(if: FileManager.default.isExecutableFile(atPath: groff)))
  func pages() throws {
    let folder = try TemporaryFolder()
    let made = try runProgram("continuo", ["manual", folder.url.path])
    try #require(made.status == 0, "\(made.errors)")
    var texts: [String: String] = [:]
    for path in [
      "man1/continuo.1", "man1/continuod.1", "man1/continuo-worker.1", "man7/continuo-osc.7",
    ] {
      let (complaints, text) = try typeset(folder.file(path))
      #expect(complaints.isEmpty, "\(path): \(complaints)")
      #expect(text.contains("NAME") && text.contains("SEE ALSO"))
      texts[path] = text
    }
    let osc = texts["man7/continuo-osc.7"] ?? ""
    for row in AddressTable.rows { #expect(osc.contains(row.pattern), "\(row.pattern)") }
    let program = texts["man1/continuo.1"] ?? ""
    for command in ["render", "preset surface", "attribute jobs", "manual"] {
      #expect(program.contains("continuo \(command)"), "\(command)")
    }
    #expect(program.contains("--prompt-seconds"))
    #expect(program.contains("continuo send [<option> ...] [<address>] [<arguments> ...]"))
    #expect(texts["man1/continuod.1"]?.contains("NSM_URL") == true)
    for key in Configuration.keys {
      #expect(texts["man1/continuod.1"]?.contains(key) == true, "\(key)")
    }
    #expect(texts["man1/continuod.1"]?.contains("--osc-port <osc-port>") == true)
    #expect(texts["man1/continuo-worker.1"]?.contains("--once") == true)
  }

  @Test(
    "the page about formats is set without a complaint and names what a bundle and a take hold",
    .enabled(if: FileManager.default.isExecutableFile(atPath: groff)))
  func formats() throws {
    let (complaints, text) = try typeset(Self.bundlePage)
    #expect(complaints.isEmpty, "\(complaints)")
    for word in [
      "preset.json", "probes.safetensors", "SHA256SUMS", "take.json", "codes.safetensors",
      "score.osc", "prompt.flac", "audio.flac", "catalogue.json", "ID.theta", "/step",
    ] {
      #expect(text.contains(word), "\(word)")
    }
  }
}
