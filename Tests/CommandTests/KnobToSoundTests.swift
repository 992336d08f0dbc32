import Audio
import Engine
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// From the packet that turns a knob to the first sample that is another one: what the daemon says of it,
/// and whether that is true.
@Suite("Knob to sound", .serialized)
struct KnobToSoundTests {
  private static let soaks = ProcessInfo.processInfo.environment["CONTINUO_SOAK"] != nil

  /// One answer `/knob/1/applied`.
  private struct Applied {
    var frame: Int
    var seconds: Double
  }

  private struct Session {
    var applied: [Applied]
    var requests: Int
    var take: URL
    var output: [Float]
    /// The server's frame of the output's first sample.
    var start: Int
    var log: String
  }

  /// Plays from silence and turns the drums knob `changes` times.
  private func play(_ home: TemporaryFolder, changes: Int) throws -> Session {
    // A period that a busy machine leaves out would be one that the recording lacks.
    let server = JackServer(rate: 48000, period: 256, isPatient: !Self.soaks)
    defer { server.stop() }
    try #require(server.waits())
    let daemon = try #require(
      try RunningDaemon(
        server: server.name, ["--bundle", "drums", "--record", home.url.path]))
    defer { daemon.stop() }
    #expect(daemon.waits(for: "loaded org.continuo.house.drums"), "\(daemon.log)")
    try #require(daemon.waitsForJACK(), "\(daemon.log)")
    let socket = try OSCServer(port: 0)
    let peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    let clip = try ClipPort(name: "listener", server: server.name)
    defer { clip.close() }
    try clip.start([], with: daemon.jackName)
    socket.send(OSCMessage("/subscribe", [.string("/knob/1/applied"), .int(600)]), to: peer)
    socket.send(OSCMessage("/transport/continue", [.float(0)]), to: peer)
    try #require(daemon.waits(for: "joined"), "\(daemon.log)")
    sleep(2)
    clip.begin()
    var applied: [Applied] = []
    func listen(_ seconds: Double) {
      let end = ContinuousClock.now + .seconds(seconds)
      while ContinuousClock.now < end {
        for message in socket.receive().flatMap(\.messages)
        where message.path == "/knob/1/applied" && message.arguments.count == 3 {
          applied.append(
            Applied(
              frame: Int(message.arguments[1].number ?? 0),
              seconds: message.arguments[2].number ?? 0))
        }
        usleep(5000)
      }
    }
    for change in 0..<changes {
      let strength: Float = change % 2 == 0 ? 2 : 0
      socket.send(OSCMessage("/knob/1/strength", [.float(strength)]), to: peer)
      listen(0.35 + 0.01 * Double(change % 13))
    }
    listen(1.5)
    let end = clip.frames
    let output = clip.recorded(max(0, end - 5 * 48000)..<end)[0]
    let start = clip.serverStart + max(0, end - 5 * 48000)
    socket.send(OSCMessage("/transport/stop"), to: peer)
    try #require(daemon.waits(for: "kept take-"), "\(daemon.log)")
    let names = try home.names()
    let name = try #require(names.first { $0.hasPrefix("take-") })
    return Session(
      applied: applied, requests: changes, take: home.file(name), output: output, start: start,
      log: daemon.log)
  }

  private func render(_ take: URL, to file: URL) throws -> [Float] {
    let result = try runProgram(
      "continuo",
      [
        "render", "--score", take.path, "--without-prompt", "--rate", "48000", "--out", file.path,
      ])
    try #require(result.status == 0, "\(result.errors)")
    return try AudioFile.read(file).channels[0]
  }

  @Test(
    "a turn is heard exactly where the daemon says; with look-ahead 1 s, soon",
    .enabled(if: JackServer.isInstalled))
  func turns() throws {
    let home = try TemporaryFolder()
    let session = try play(home, changes: Self.soaks ? 201 : 5)
    #expect(session.applied.count == session.requests, "\(session.log)")
    let last = try #require(session.applied.last)

    // The same music without the last turn, which turns the knob up: what differs is what that turn changed.
    let other = home.file("without")
    try FileManager.default.copyItem(at: session.take, to: other)
    let scoreFile = other.appendingPathComponent("score.osc")
    var entries = try Score.decode(try Data(contentsOf: scoreFile), path: scoreFile.path)
    let turn = try #require(entries.lastIndex { $0.message.path == "/knob/1/strength" })
    entries.remove(at: turn)
    try Score.encode(entries).write(to: scoreFile)
    let with = try render(session.take, to: home.file("with.wav"))
    let without = try render(other, to: home.file("without.wav"))
    let first = try #require(zip(with, without).enumerated().first { $1.0 != $1.1 }?.offset)

    // Where the music lies in the recording: a stretch before the change, found again.
    let piece = Array(with[first - 24000..<first - 12000])
    var best = (lag: 0, error: Float.infinity)
    for lag in 0..<session.output.count - piece.count {
      var error: Float = 0
      var index = 0
      while index < piece.count, error < best.error {
        let difference = piece[index] - session.output[lag + index]
        error += difference * difference
        index += 1
      }
      if error < best.error { best = (lag, error) }
    }
    let energy = piece.reduce(0) { $0 + $1 * $1 }
    #expect(best.error < 1e-3 * energy, "\(best.error) of \(energy)")
    let heard = session.start + best.lag + 24000
    // Nothing changes before the frame that the daemon tells (its frames and the recorder's may be one
    // period apart: the graph is a loop), and something does soon after: the first codes drawn with the
    // turn may by chance be those without it.
    #expect(heard >= last.frame - 2 * 256 - 64, "\(heard - last.frame) frames")
    #expect(heard < last.frame + 48000 / 2, "\(heard - last.frame) frames")

    let times = session.applied.map(\.seconds).sorted()
    let median = times[times.count / 2]
    let high = times[min(times.count - 1, times.count * 99 / 100)]
    print(
      "knob to sound, \(times.count) turns: median \(Int(median * 1000)) ms, 99th percentile"
        + " \(Int(high * 1000)) ms, longest \(Int(times[times.count - 1] * 1000)) ms")
    if Self.soaks {
      #expect(median <= 0.25 && high <= 0.25)
    }
  }
}
