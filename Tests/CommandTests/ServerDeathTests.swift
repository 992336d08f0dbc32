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
  /// Asks for the status until it says what is wanted.
  /// - Returns: seconds until then and the longest silence of the daemon; nil after `limit` seconds.
  private func wait(
    _ daemon: RunningDaemon, _ socket: OSCServer, limit: Double,
    until isWanted: (_ state: String, _ hasServer: Bool) -> Bool
  ) -> (seconds: Double, silence: Double)? {
    let began = ContinuousClock.now
    var heard = began
    var silence = 0.0
    while (ContinuousClock.now - began) / .seconds(1) < limit {
      socket.send(OSCMessage("/status"), to: OSCPeer(host: "127.0.0.1", port: daemon.port))
      usleep(20_000)
      for message in socket.receive().flatMap(\.messages)
      where message.path == "/reply" && message.arguments.count > 3 {
        let now = ContinuousClock.now
        silence = max(silence, (now - heard) / .seconds(1))
        heard = now
        if isWanted(message.arguments[1].text ?? "", message.arguments[3].number == 1) {
          return ((now - began) / .seconds(1), silence)
        }
      }
    }
    return nil
  }

  /// The connections of a port, by `jack_lsp`.
  private func peers(of port: String, server: String) throws -> [String] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/jack_lsp")
    process.arguments = ["-s", server, "-c", port]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self).split(separator: "\n")
      .filter { $0.hasPrefix(" ") }.map { $0.trimmingCharacters(in: .whitespaces) }
  }

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
    let before = try peers(of: port, server: server.name)
    #expect(before == ["system:playback_1"])
    var returns: [Double] = []
    var silences: [Double] = []
    for _ in 0..<(soaks ? 20 : 2) {
      server.kill()
      let gone = try #require(
        wait(daemon, socket, limit: 10) { _, hasServer in !hasServer }, "\(daemon.log)")
      server.start()
      try #require(server.waits())
      let back = try #require(
        wait(daemon, socket, limit: 10) { _, hasServer in hasServer }, "\(daemon.log)")
      returns.append(back.seconds)
      silences.append(max(gone.silence, back.silence))
      usleep(500_000)
      #expect(try peers(of: port, server: server.name) == before)
    }
    print(
      "servers killed \(returns.count) times: back after at most"
        + " \(String(format: "%.2f", returns.max() ?? 0)) s, longest silence over OSC"
        + " \(String(format: "%.3f", silences.max() ?? 0)) s")
    #expect(daemon.isRunning)
    #expect(daemon.log.components(separatedBy: "model house").count == 2, "loaded once")
    if soaks { #expect((returns.max() ?? 9) < 3) }
    // The music is still being made.
    #expect(wait(daemon, socket, limit: 5) { state, _ in state == "playing" } != nil)
  }
}
