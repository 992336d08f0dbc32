import Audio
import Engine
import Foundation
import TestSupport
import Testing

@testable import continuo

#if canImport(Glibc)
  import Glibc
#endif

@Suite("continuo render --score", .serialized)
struct ScoreRenderingTests {
  /// Sends messages to a daemon, one every `pause` seconds.
  private func send(_ messages: [OSCMessage], to daemon: RunningDaemon, pause: Double) throws {
    let socket = try OSCServer(port: 0)
    for message in messages {
      socket.send(message, to: OSCPeer(host: "127.0.0.1", port: daemon.port))
      usleep(UInt32(pause * 1e6))
    }
  }

  /// What the daemon played while knobs moved: the folder of its take.
  private func take(_ home: TemporaryFolder, moves: Int, pause: Double) throws -> URL {
    let server = JackServer()
    defer { server.stop() }
    try #require(server.waits())
    let daemon = try #require(
      try RunningDaemon(
        server: server.name, ["--bundle", "drums", "--bundle", "bass", "--record", home.url.path]))
    defer { daemon.stop() }
    #expect(daemon.waits(for: "loaded org.continuo.house.bass"), "\(daemon.log)")
    try send([OSCMessage("/transport/continue", [.float(0)])], to: daemon, pause: 0)
    try #require(daemon.waits(for: "joined"), "\(daemon.log)")
    var random = TestRandom(seed: 11)
    let messages = (0..<moves).map { move -> OSCMessage in
      switch move % 5 {
      case 3:
        OSCMessage("/sampling/temperature", [.float(Float.random(in: 0.6...1.1, using: &random))])
      case 4: OSCMessage("/knob/bass/power", [.float(Float.random(in: 1...3, using: &random))])
      default:
        OSCMessage(
          "/knob/\(move % 2 + 1)/strength", [.float(Float.random(in: -1...2, using: &random))])
      }
    }
    try send(messages, to: daemon, pause: pause)
    try send([OSCMessage("/transport/stop")], to: daemon, pause: 0)
    try #require(daemon.waits(for: "kept take-"), "\(daemon.log)")
    let names = try home.names()
    let name = try #require(names.first { $0.hasPrefix("take-") }, "\(names)")
    return home.file(name)
  }

  @Test(
    "a take of a live session gives the same codes and the same sound again, on 1 and 2 threads",
    .enabled(if: JackServer.isInstalled))
  func liveTake() throws {
    let home = try TemporaryFolder()
    let soak = ProcessInfo.processInfo.environment["CONTINUO_SOAK"] != nil
    let take = try take(home, moves: soak ? 100 : 15, pause: soak ? 3 : 0.25)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    for threads in ["1", "2"] {
      let out = home.file("again\(threads).wav")
      let result = try runProgram(
        "continuo",
        [
          "render", "--score", take.appendingPathComponent("score.osc").path, "--without-prompt",
          "--threads", threads, "--out", out.path, "--json",
        ])
      try #require(result.status == 0, "\(result.errors)")
      let summary = try decoder.decode(ScoreSummary.self, from: Data(result.output.utf8))
      #expect(summary.sameCodes, "\(threads): \(summary)")
      #expect(summary.newSeconds > 2)
      // The take's own sound is kept with 24 bits.
      let kept = try AudioFile.read(take.appendingPathComponent("audio.flac"))
      let again = try AudioFile.read(out)
      #expect(kept.frames == again.frames)
      let worst = zip(kept.channels[0], again.channels[0])
        .reduce(Float(0)) { max($0, abs(min(max($1.1, -1), 1) - $1.0)) }
      #expect(worst < 3e-7)
    }

    // The take names its bundles by their contents: with others it is not made again silently.
    let file = take.appendingPathComponent("take.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    let bundles = try JSONDecoder().decode(TakeDescription.self, from: Data(text.utf8)).bundles
    #expect(bundles.map(\.id) == ["org.continuo.house.bass", "org.continuo.house.drums"])
    let digest = try #require(bundles.last?.sha256)
    try Data(text.replacing(digest, with: String(repeating: "0", count: 64)).utf8).write(to: file)
    let refused = try runProgram(
      "continuo", ["render", "--score", take.path, "--out", home.file("no.wav").path])
    #expect(refused.status == 64, "\(refused.output)")
    #expect(refused.errors.contains("steered by org.continuo.house.drums@"), "\(refused.errors)")
  }

  @Test("a score contradicts prompt, text, seed and knobs, and other folders are no takes")
  func refused() throws {
    let home = try TemporaryFolder()
    for wrong in [["--seed", "1"], ["--text", "x"], ["--knob", "drums=1"]] {
      let result = try runProgram(
        "continuo",
        ["render", "--score", home.url.path, "--out", home.file("a.wav").path] + wrong)
      #expect(result.status == 64 && result.errors.contains("contradict"), "\(result.errors)")
    }
    let result = try runProgram(
      "continuo", ["render", "--score", home.url.path, "--out", home.file("a.wav").path])
    #expect(result.status == 65 && result.errors.contains("is no take"), "\(result.errors)")
    let rated = try runProgram(
      "continuo", ["render", "--rate", "48000", "--out", home.file("a.wav").path])
    #expect(rated.status == 64, "\(rated.errors)")
    #expect(try home.names().isEmpty)
  }
}
