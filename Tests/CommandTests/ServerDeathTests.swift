import Engine
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// The JACK server is killed while the daemon plays, again and again.
@Suite("Death of the sound server", .serialized)
struct ServerDeathTests {
  @Test(
    "killed servers come back: connections restored, model kept, OSC answering",
    .enabled(if: JackServer.isInstalled))
  func kills() throws {
    let soaks = ProcessInfo.processInfo.environment["CONTINUO_SOAK"] != nil
    let server = JackServer()
    defer { server.stop() }
    try #require(server.waits())
    let daemon = try #require(
      try RunningDaemon(server: server.name, ["--connect", "system"]))
    defer { daemon.stop() }
    try #require(daemon.waitsForJACK(), "\(daemon.log)")
    let socket = try OSCServer(port: 0)
    let peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    socket.send(OSCMessage("/transport/continue", [.float(0)]), to: peer)
    try #require(daemon.waits(for: "joined"), "\(daemon.log)")
    let port = "\(daemon.jackName):out_1"
    let before = try server.peers(of: port)
    #expect(before == ["system:playback_1"])
    var returns: [Double] = []
    var silences: [Double] = []
    for _ in 0..<(soaks ? 20 : 2) {
      server.kill()
      let gone = try #require(
        daemon.wait(limit: 10, asking: socket) { !$0.hasServer }, "\(daemon.log)")
      server.start()
      try #require(server.waits())
      let back = try #require(
        daemon.wait(limit: 10, asking: socket) { $0.hasServer }, "\(daemon.log)")
      returns.append(back.seconds)
      silences.append(max(gone.silence, back.silence))
      usleep(500_000)
      #expect(try server.peers(of: port) == before)
    }
    print(
      "servers killed \(returns.count) times: back after at most"
        + " \(String(format: "%.2f", returns.max() ?? 0)) s, longest silence over OSC"
        + " \(String(format: "%.3f", silences.max() ?? 0)) s")
    #expect(daemon.isRunning)
    #expect(daemon.log.components(separatedBy: "model house").count == 2, "loaded once")
    if soaks { #expect((returns.max() ?? 9) < 3) }
    // The music is still being made.
    #expect(daemon.wait(limit: 5, asking: socket) { $0.state == "playing" } != nil)
  }

  @Test(
    "a server that hangs: named, waited for, and no reason not to end",
    .enabled(if: JackServer.isInstalled))
  func hangs() throws {
    let server = JackServer()
    defer { server.stop() }
    try #require(server.waits())
    server.freeze()
    let daemon = try #require(try RunningDaemon(server: server.name))
    defer { daemon.stop() }
    #expect(daemon.waits(for: "the JACK server hangs", seconds: 20), "\(daemon.log)")
    server.thaw()
    #expect(daemon.waitsForJACK(), "\(daemon.log)")

    // And while it plays: /status says so, SIGTERM ends it all the same.
    server.freeze()
    let socket = try OSCServer(port: 0)
    #expect(daemon.wait(limit: 20, asking: socket) { !$0.hasServer } != nil, "\(daemon.log)")
    kill(daemon.processIdentifier, SIGTERM)
    for _ in 0..<100 where daemon.isRunning { usleep(50_000) }
    #expect(!daemon.isRunning, "\(daemon.log)")
    if !daemon.isRunning { #expect(daemon.stop() == 0) } else { daemon.kill() }
  }
}
