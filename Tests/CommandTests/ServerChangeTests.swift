import Engine
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// The sound server changes under the playing daemon: another period, another rate.
@Suite("Changes of the sound server", .serialized)
struct ServerChangeTests {
  private static let soaks = ProcessInfo.processInfo.environment["CONTINUO_SOAK_PART"] == "servers"

  /// A server, and a daemon that plays from silence, connected to the server's ports.
  private final class Stage {
    let server = JackServer()
    let socket: OSCServer
    let daemon: RunningDaemon

    init() throws {
      try #require(server.waits())
      socket = try OSCServer(port: 0)
      daemon = try #require(try RunningDaemon(server: server.name, ["--connect", "system"]))
      try #require(daemon.waitsForJACK(), "\(daemon.log)")
      let play = OSCMessage("/transport/continue", [.float(0)])
      socket.send(play, to: OSCPeer(host: "127.0.0.1", port: daemon.port))
      try #require(daemon.waits(for: "joined"), "\(daemon.log)")
    }

    func stop() {
      daemon.stop()
      server.stop()
    }
  }

  /// Seconds until the daemon plays something into `probe`; nil after five.
  private func heard(_ probe: JackProbe) -> Double? {
    let began = ContinuousClock.now
    probe.recordAgain()
    while ContinuousClock.now - began < .seconds(5) {
      if probe.recorded(channel: 0).contains(where: { abs($0) > 1e-3 }) {
        return (ContinuousClock.now - began) / .seconds(1)
      }
      usleep(50_000)
    }
    return nil
  }

  @Test(
    "the period changes while it plays: music, connections and OSC go on",
    .enabled(if: JackServer.isInstalled))
  func periods() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let (server, socket, daemon) = (stage.server, stage.socket, stage.daemon)
    let probe = try #require(JackProbe(server: server.name, signal: [], seconds: 6))
    defer { probe.close() }
    probe.connect(to: daemon.jackName)
    let port = "\(daemon.jackName):out_1"
    let before = Set(try server.peers(of: port))
    #expect(before.contains("system:playback_1"))
    let up = (4...13).map { 1 << $0 }
    let periods = Self.soaks ? up + up.reversed() + up.shuffled() + [256] : [16, 8192, 64, 1024]
    var longest = 0.0
    var silence = 0.0
    for period in periods {
      try #require(probe.change(period: period), "\(period) frames")
      let back = try #require(
        daemon.wait(limit: 5, asking: socket) {
          $0.hasServer && $0.state == "playing" && $0.ready > 0.1
        }, "\(period): \(daemon.log)")
      let sound = try #require(heard(probe), "\(period): silence")
      longest = max(longest, back.seconds + sound)
      silence = max(silence, back.silence)
      #expect(Set(try server.peers(of: port)) == before, "\(period)")
    }
    print(
      "\(periods.count) periods from 16 to 8192 frames: music heard again after at most"
        + " \(String(format: "%.2f", longest)) s, longest silence over OSC"
        + " \(String(format: "%.3f", silence)) s")
    #expect(daemon.isRunning)
    #expect(daemon.log.components(separatedBy: "model house").count == 2, "loaded once")
    if Self.soaks { #expect(longest < 3) }
  }

  @Test(
    "the server comes back at another rate while it plays: the music goes on, connected as before",
    .enabled(if: JackServer.isInstalled))
  func rates() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let (server, socket, daemon) = (stage.server, stage.socket, stage.daemon)
    let port = "\(daemon.jackName):out_1"
    let before = try server.peers(of: port)
    #expect(before == ["system:playback_1"])
    let rates = [44100, 96000, 48000]
    var longest = 0.0
    var silence = 0.0
    for rate in Self.soaks ? rates + rates.reversed() + rates + [44100, 48000] : rates {
      server.restart(rate: rate)
      try #require(server.waits())
      let back = try #require(
        daemon.wait(limit: 10, asking: socket) {
          $0.hasServer && $0.state == "playing" && $0.ready > 0.1
        }, "\(rate): \(daemon.log)")
      let probe = try #require(JackProbe(server: server.name, signal: [], seconds: 12))
      probe.connect(to: daemon.jackName)
      let sound = try #require(heard(probe), "\(rate): silence")
      probe.close()
      longest = max(longest, back.seconds + sound)
      silence = max(silence, back.silence)
      #expect(try server.peers(of: port) == before, "\(rate)")
    }
    print(
      "rates changed: music heard again after at most \(String(format: "%.2f", longest)) s, longest"
        + " silence over OSC \(String(format: "%.3f", silence)) s")
    #expect(daemon.isRunning)
    #expect(daemon.log.components(separatedBy: "model house").count == 2, "loaded once")
    if Self.soaks { #expect(longest < 3) }
  }
}
