import Foundation
import TestSupport
import Testing

@Suite("README")
struct ReadmeTests {
  @Test("shows the tree that there is; Tests/tree --write puts it right")
  func tree() throws {
    let process = Process()
    process.executableURL = fixture("../tree").standardizedFileURL
    process.arguments = ["--check"]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test("names every command of the program")
  func commands() throws {
    let readme = try String(
      contentsOf: fixture("../../README.md").standardizedFileURL, encoding: .utf8)
    // The tree names files, not what a user would look for.
    let manual = readme.components(separatedBy: "## The tree")[0]
    let help = try runProgram("continuo", ["--help"]).output
    let listed = help.components(separatedBy: "SUBCOMMANDS:").dropFirst().first ?? ""
    let names = listed.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
      .compactMap { $0.split(separator: " ").first.map(String.init) }
    #expect(!names.isEmpty)
    for name in names where name != "See" {
      #expect(manual.contains("`continuo \(name)"), "\(name) is not in the README")
    }
  }

  @Test("shows the addresses that there are; continuo send --addresses prints them")
  func addresses() throws {
    let readme = try String(
      contentsOf: fixture("../../README.md").standardizedFileURL, encoding: .utf8)
    let shown = readme.components(separatedBy: "<!-- osc -->\n").dropFirst().first?
      .components(separatedBy: "<!-- /osc -->").first
    let result = try runProgram("continuo", ["send", "--addresses"])
    #expect(result.status == 0 && result.output.contains("`/knob/N/strength`"))
    #expect(shown == result.output)
  }
}
