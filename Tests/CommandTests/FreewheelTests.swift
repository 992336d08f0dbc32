import Audio
import Engine
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A bounce: the server runs as fast as its clients can, and what it writes is what the take makes again.
@Suite("Freewheel", .serialized)
struct FreewheelTests {
  private struct Bounce {
    var sound: [[Float]]
    var take: URL
    /// Seconds that the recorded stretch took.
    var spent: Double
    /// Own dropouts while it was recorded.
    var underruns: Int
  }

  /// The daemon's count of its own dropouts.
  private func underruns(_ daemon: RunningDaemon, _ socket: OSCServer) -> Int {
    socket.send(OSCMessage("/engine/underruns"), to: OSCPeer(host: "127.0.0.1", port: daemon.port))
    for _ in 0..<200 {
      usleep(10_000)
      for message in socket.receive().flatMap(\.messages)
      where message.arguments.first?.text == "/engine/underruns" {
        return Int(message.arguments[1].number ?? -1)
      }
    }
    return -1
  }

  /// Records `seconds` of what the daemon plays while the server freewheels.
  /// - Parameters:
  ///   - beginsBefore: whether the music begins before freewheeling does.
  ///   - moves: turns of the drums knob during the bounce.
  private func bounce(
    _ home: TemporaryFolder, rate: Int, seconds: Int, beginsBefore: Bool, moves: Int
  ) throws -> Bounce {
    let server = JackServer(rate: rate)
    defer { server.stop() }
    try #require(server.waits())
    let daemon = try #require(
      try RunningDaemon(server: server.name, ["--bundle", "drums", "--record", home.url.path]))
    defer { daemon.stop() }
    #expect(daemon.waits(for: "loaded org.continuo.house.drums"), "\(daemon.log)")
    try #require(daemon.waitsForJACK(), "\(daemon.log)")
    let socket = try OSCServer(port: 0)
    let peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    let probe = try #require(JackProbe(server: server.name, signal: [], seconds: seconds + 2))
    defer { probe.close() }
    probe.connect(to: daemon.jackName)
    let play = OSCMessage("/transport/continue", [.float(0)])
    if beginsBefore {
      socket.send(play, to: peer)
      try #require(daemon.waits(for: "joined"), "\(daemon.log)")
      sleep(1)
      probe.freewheel(true)
    } else {
      probe.freewheel(true)
      usleep(300_000)
      socket.send(play, to: peer)
      try #require(daemon.waits(for: "joined"), "\(daemon.log)")
    }
    usleep(200_000)
    let before = underruns(daemon, socket)
    probe.recordAgain()
    let began = ContinuousClock.now
    func wait(until frames: Int) {
      for _ in 0..<60_000 where probe.frames < frames { usleep(1000) }
    }
    for move in 0..<moves {
      wait(until: (move + 1) * seconds * rate / (moves + 2))
      let strength: Float = move % 2 == 0 ? 2 : -1
      socket.send(OSCMessage("/knob/1/strength", [.float(strength)]), to: peer)
    }
    wait(until: seconds * rate)
    let spent = (ContinuousClock.now - began) / .seconds(1)
    let after = underruns(daemon, socket)
    probe.freewheel(false)
    try #require(probe.frames >= seconds * rate, "\(probe.frames) frames: \(daemon.log)")
    let sound = (0..<2).map { Array(probe.recorded(channel: $0)[..<(seconds * rate)]) }
    socket.send(OSCMessage("/transport/stop"), to: peer)
    try #require(daemon.waits(for: "kept take-"), "\(daemon.log)")
    let name = try #require(try home.names().first { $0.hasPrefix("take-") })
    return Bounce(
      sound: sound, take: home.file(name), spent: spent, underruns: after - before)
  }

  @Test(
    "a bounce of ten seconds is what render --score makes of its take, sample by sample",
    .enabled(if: JackServer.isInstalled),
    arguments: [(44100, true, 0), (48000, true, 6), (48000, false, 3)])
  func exact(rate: Int, beginsBefore: Bool, moves: Int) throws {
    let home = try TemporaryFolder()
    let seconds = 10
    let bounce = try bounce(
      home, rate: rate, seconds: seconds, beginsBefore: beginsBefore, moves: moves)
    #expect(bounce.underruns == 0)
    let file = home.file("again.wav")
    let result = try runProgram(
      "continuo",
      [
        "render", "--score", bounce.take.path, "--without-prompt", "--rate", "\(rate)", "--out",
        file.path,
      ])
    try #require(result.status == 0, "\(result.errors)")
    let again = try AudioFile.read(file).channels[0]

    // Where the bounce lies in the music: the only place where its middle is found, bit by bit.
    let middle = seconds * rate / 2
    let piece = Array(bounce.sound[0][middle..<middle + 256])
    #expect(piece.contains { abs($0) > 1e-3 }, "music, not silence")
    var places: [Int] = []
    for place in 0..<max(0, again.count - piece.count) where again[place] == piece[0] {
      if piece.indices.allSatisfy({ again[place + $0] == piece[$0] }) {
        places.append(place - middle)
      }
    }
    let start = try #require(places.first, "no stretch of the take is the bounce's middle")
    #expect(places.count == 1)
    try #require(start >= 0 && start + seconds * rate <= again.count, "\(start) of \(again.count)")
    for channel in 0..<2 {
      let different = (0..<(seconds * rate)).filter {
        bounce.sound[channel][$0] != again[start + $0]
      }
      #expect(
        different.isEmpty,
        "channel \(channel): \(different.count) samples from \(different.first ?? 0) on differ")
    }
    print(
      "bounce of \(seconds) s at \(rate) Hz in \(String(format: "%.2f", bounce.spent)) s:"
        + " \(2 * seconds * rate) samples as in the take, \(moves) turns of a knob")
  }
}
