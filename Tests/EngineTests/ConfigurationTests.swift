import Foundation
import Kernels
import TestSupport
import Testing

@testable import Engine

@Suite struct ConfigurationTests {
  private func read(_ text: String) throws -> Configuration {
    let folder = try TemporaryFolder()
    let file = folder.file("continuo.conf")
    try Data(text.utf8).write(to: file)
    return try Configuration(contentsOf: file)
  }

  @Test func settingsAreReadOverTheDefaults() throws {
    let settings = try read(
      """
      # a comment
      model = ./mine   # behind a setting
      bundle = drums
      bundle = piano
      osc-port = 9000
      allow-quit = yes
      """)
    #expect(settings.model == "./mine" && settings.bundles == ["drums", "piano"])
    #expect(settings.weights == .int8)
    #expect(try read("weights = f32").weights == .f32)
    #expect(settings.oscPort == 9000 && settings.allowsQuit && settings.oscBind == "127.0.0.1")
  }

  @Test(arguments: [
    "what is this", "unknown = 1", "osc-port = many", "osc-port = 70000", "allow-quit = maybe",
    "weights = int3", "connect = everything",
  ])
  func mistakesNameTheirLine(text: String) {
    #expect {
      try read("\n" + text)
    } throws: { error in
      "\(error)".contains("line 2")
    }
  }

  @Test func aMissingFileIsNamed() {
    #expect(throws: ConfigurationError.unreadable(path: "/nowhere/x")) {
      try Configuration(contentsOf: URL(fileURLWithPath: "/nowhere/x"))
    }
  }
}
