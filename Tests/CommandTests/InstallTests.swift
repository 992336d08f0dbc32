import Foundation
import TestSupport
import Testing

/// `Service/install` and `Service/uninstall`, with the programs beside the tests, into a folder of their own.
@Suite("Service/install")
struct InstallTests {
  private static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private func run(_ command: String, _ arguments: [String], environment: [String: String] = [:])
    throws -> (status: Int32, output: String)
  {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  private func service(_ name: String, _ arguments: [String]) throws -> (
    status: Int32, output: String
  ) {
    try run(Self.repository.appendingPathComponent("Service/\(name)").path, arguments)
  }

  @Test("what is installed runs from there, its units are valid, and uninstalling leaves nothing")
  func roundTrip() throws {
    let home = try TemporaryFolder()
    let prefix = home.file("prefix").path
    let installed = try service("install", ["--prefix", prefix, "--build", builtProducts.path])
    try #require(installed.status == 0, "\(installed.output)")

    let models = try run("\(prefix)/bin/continuo", ["model", "list", "--json"])
    #expect(models.status == 0 && models.output.contains("\(prefix)/lib/continuo"))
    let presets = try run(
      "\(prefix)/bin/continuo", ["preset", "list"],
      environment: ["XDG_DATA_HOME": "\(prefix)/share"])
    #expect(presets.output.contains("\(prefix)/share/continuo/presets/drums"), "\(presets.output)")
    for program in ["continuod", "continuo-worker"] {
      #expect(try run("\(prefix)/bin/\(program)", ["--help"]).status == 0)
      let unit = "\(prefix)/share/systemd/user/\(program).service"
      let text = try String(contentsOfFile: unit, encoding: .utf8)
      #expect(text.contains("ExecStart=\(prefix)/bin/\(program)") && !text.contains("@bin@"))
      if FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze") {
        let verdict = try run(
          "/usr/bin/systemd-analyze", ["verify", "--user", unit],
          environment: ["XDG_RUNTIME_DIR": home.url.path])
        #expect(verdict.status == 0, "\(verdict.output)")
      }
    }
    let completion = try String(
      contentsOfFile: "\(prefix)/share/bash-completion/completions/continuo", encoding: .utf8)
    #expect(completion.contains("render") && completion.contains("--score"))

    for page in [
      "man1/continuo.1", "man1/continuod.1", "man1/continuo-worker.1", "man5/continuo-bundle.5",
      "man7/continuo-osc.7",
    ] {
      let text = try String(contentsOfFile: "\(prefix)/share/man/\(page)", encoding: .utf8)
      #expect(text.hasPrefix(".TH \"CONTINUO"), "\(page)")
    }

    // A bundle of the user's own, which must stay.
    let own = "\(prefix)/share/continuo/presets/mine.continuo"
    try Data("mine".utf8).write(to: URL(fileURLWithPath: own))
    #expect(try service("uninstall", ["--prefix", prefix]).status == 0)
    let left = FileManager.default.enumerator(atPath: prefix)?.compactMap { $0 as? String } ?? []
    #expect(
      Set(left)
        == [
          "share", "share/continuo", "share/continuo/presets",
          "share/continuo/presets/mine.continuo",
        ])
    try FileManager.default.removeItem(atPath: own)
    #expect(try service("uninstall", ["--prefix", prefix]).status == 0)
    #expect(!FileManager.default.fileExists(atPath: prefix))
  }

  @Test("a relative prefix, an unknown argument and a folder without programs are refused")
  func refused() throws {
    let home = try TemporaryFolder()
    #expect(try service("install", ["--prefix", "here"]).status == 64)
    #expect(try service("install", ["--wrong"]).status == 64)
    #expect(try service("uninstall", ["--prefix", "here"]).status == 64)
    let empty = try service(
      "install", ["--prefix", home.file("p").path, "--build", home.url.path])
    #expect(empty.status == 66 && empty.output.contains("there is no continuo"))
    #expect(try home.names().isEmpty)
  }
}
