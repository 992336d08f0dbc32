import Audio
import Foundation
import TestSupport
import Testing

@testable import continuo

@Suite("continuo play", .serialized)
struct PlayCommandTests {
  private static let phrase = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Sources/HouseModel/Resources/phrase.flac").path

  @Test(
    "the daemon goes on from the phrase, a knob is heard, and all of it is told",
    .enabled(if: JackServer.isInstalled))
  func live() throws {
    let server = JackServer()
    defer { server.stop() }
    try #require(server.waits())
    let home = try TemporaryFolder()
    let daemon = try #require(
      try RunningDaemon(
        server: server.name, ["--bundle", "drums", "--record", home.url.path], folder: home))
    defer { daemon.stop() }
    #expect(daemon.waits(for: "loaded org.continuo.house.drums"), "\(daemon.log)")
    try #require(daemon.waitsForJACK(), "\(daemon.log)")
    let out = home.file("out.wav")
    let picture = home.file("out.svg")
    let result = try runProgram(
      "continuo",
      [
        "play", Self.phrase, "--continue-at", "3", "--knob", "drums=1", "--knob-after", "1.5",
        "--for", "8", "--out", out.path, "--picture", picture.path, "--jack-name", daemon.jackName,
        "--jack-server", server.name, "--port", "\(daemon.port)", "--json",
      ])
    try #require(result.status == 0, "\(result.errors)\n\(daemon.log)")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let summary = try decoder.decode(PlaySummary.self, from: Data(result.output.utf8))
    let joined = try #require(summary.joined)
    #expect(joined > 3 && joined < 6)
    #expect(summary.realTimeFactor > 0 && summary.model == "house")
    let knob = try #require(summary.knobs.first)
    #expect(knob.successAfter != nil)
    let heard = try #require(knob.knobToSound)
    #expect(heard > 0 && heard < 2)

    let clip = try AudioFile.read(out)
    #expect(clip.channels.count == 2 && abs(clip.seconds - summary.seconds) < 0.05)
    // First the phrase itself comes through, later other music: both sound.
    func level(_ range: Range<Double>) -> Float {
      let part = clip.channels[0][
        Int(range.lowerBound * Double(clip.rate))..<Int(range.upperBound * Double(clip.rate))]
      return (part.reduce(0) { $0 + $1 * $1 } / Float(part.count)).squareRoot()
    }
    #expect(level(1..<2) > 0.005)
    #expect(level(6..<7) > 0.002)
    #expect(try String(contentsOf: picture, encoding: .utf8).contains("drums"))
    // The end stopped the music, and what was played was kept.
    #expect(daemon.waits(for: "kept take-"), "\(daemon.log)")
  }

  @Test("who is not there is said")
  func nobody() throws {
    let home = try TemporaryFolder()
    let result = try runProgram(
      "continuo", ["play", Self.phrase, "--port", "1", "--out", home.file("a.wav").path])
    #expect(result.status == 69)
    #expect(result.errors.contains("nobody answers at 127.0.0.1:1"), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: home.file("a.wav").path))
  }

  @Test("a knob without a strength, and seconds below zero, are refused")
  func refused() throws {
    for wrong in [["--knob", "drums"], ["--knob", "drums=9"], ["--continue-at", "-1"]] {
      let result = try runProgram(
        "continuo", ["play", Self.phrase, "--out", "/tmp/never.wav"] + wrong)
      #expect(result.status == 64, "\(wrong) \(result.errors)")
    }
  }
}
