import Engine
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// PipeWire in the place of jackd: its period and rate change, it is killed and comes back, while the daemon plays.
@Suite("PipeWire", .serialized)
struct PipeWireTests {
  private static let soaks = ProcessInfo.processInfo.environment["CONTINUO_SOAK_PART"] == "servers"

  /// Seconds until a turn of the knob is heard, which takes a play head that moves; nil after five.
  private func turn(_ daemon: RunningDaemon, _ socket: OSCServer, to strength: Float) -> Double? {
    let peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    socket.send(OSCMessage("/subscribe", [.string("/knob/1/applied"), .int(60)]), to: peer)
    usleep(50_000)
    _ = socket.receive()
    let began = ContinuousClock.now
    socket.send(OSCMessage("/knob/1/strength", [.float(strength)]), to: peer)
    while ContinuousClock.now - began < .seconds(5) {
      usleep(5000)
      if socket.receive().flatMap(\.messages).contains(where: { $0.path == "/knob/1/applied" }) {
        return (ContinuousClock.now - began) / .seconds(1)
      }
    }
    return nil
  }

  @Test(
    "period, rate and death of PipeWire: back in time, connected as before, OSC answering",
    .enabled(if: PipeWireServer.isInstalled))
  func changes() throws {
    let server = try #require(try PipeWireServer())
    defer { server.stop() }
    let daemon = try #require(
      try RunningDaemon(
        server: server.name, ["--bundle", "drums"], environment: server.environment))
    defer { daemon.stop() }
    let neighbour = try #require(
      try RunningDaemon(server: server.name, environment: server.environment))
    defer { neighbour.stop() }
    #expect(daemon.waits(for: "loaded org.continuo.house.drums"), "\(daemon.log)")
    try #require(daemon.waitsForJACK() && neighbour.waitsForJACK(), "\(daemon.log)")
    let (from, to) = ("\(daemon.jackName):out_1", "\(neighbour.jackName):in_1")
    try server.connect(from, to)
    #expect(try server.peers(of: from) == [to])
    let socket = try OSCServer(port: 0)
    let peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    socket.send(OSCMessage("/transport/continue", [.float(0)]), to: peer)
    try #require(daemon.waits(for: "joined"), "\(daemon.log)")

    var longest = 0.0
    var silence = 0.0
    var strength: Float = 1
    func goesOn(_ what: String) throws {
      let back = try #require(
        daemon.wait(limit: 10, asking: socket) {
          $0.hasServer && $0.state == "playing" && $0.ready > 0.1
        }, "\(what): \(daemon.log)")
      let heard = try #require(turn(daemon, socket, to: strength), "\(what): \(daemon.log)")
      strength = 1 - strength
      longest = max(longest, back.seconds + heard)
      silence = max(silence, back.silence)
      #expect(try server.peers(of: from) == [to], "\(what)")
    }
    let settings = [
      ("clock.force-quantum", 64), ("clock.force-quantum", 2048), ("clock.force-rate", 44100),
      ("clock.force-quantum", 256), ("clock.force-rate", 96000), ("clock.force-rate", 48000),
    ]
    for round in 0..<(Self.soaks ? 4 : 1) {
      for (key, value) in settings {
        try server.set(key, value)
        usleep(300_000)
        try goesOn("\(key) \(value), round \(round)")
      }
    }
    var returns = 0.0
    for round in 0..<(Self.soaks ? 20 : 2) {
      server.kill()
      #expect(daemon.wait(limit: 10, asking: socket) { !$0.hasServer } != nil)
      try server.start()
      let began = ContinuousClock.now
      #expect(daemon.wait(limit: 10, asking: socket) { $0.hasServer } != nil)
      #expect(neighbour.waitsForJACK())
      while try server.peers(of: from) != [to], ContinuousClock.now - began < .seconds(10) {
        usleep(20_000)
      }
      returns = max(returns, (ContinuousClock.now - began) / .seconds(1))
      try goesOn("killed, round \(round)")
    }
    print(
      "PipeWire: after a change music heard within \(String(format: "%.2f", longest)) s; after a kill back and"
        + " connected within \(String(format: "%.2f", returns)) s; longest silence over OSC"
        + " \(String(format: "%.3f", silence)) s")
    #expect(daemon.isRunning)
    #expect(daemon.log.components(separatedBy: "model house").count == 2, "loaded once")
    if Self.soaks { #expect(longest < 3 && returns < 3) }
  }
}
