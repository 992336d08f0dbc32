import Engine
import Foundation
import TestSupport
import Testing

/// The real daemon under a session manager that follows a script.
@Suite("Sessions of New Session Manager", .serialized)
struct SessionTests {
  /// The names of all JACK clients, by `jack_lsp`.
  private func clients(of server: String) throws -> Set<String> {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/jack_lsp")
    process.arguments = ["-s", server]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Set(
      String(decoding: data, as: UTF8.self).split(separator: "\n").compactMap {
        $0.split(separator: ":").first.map(String.init)
      })
  }

  /// Waits until a JACK client of that name is there, or is not.
  private func waits(for client: String, on server: String, isThere: Bool = true) throws -> Bool {
    for _ in 0..<100 {
      if try clients(of: server).contains(client) == isThere { return true }
      usleep(100_000)
    }
    return false
  }

  private func value(_ address: String, _ socket: OSCServer, _ peer: OSCPeer) -> OSCValue? {
    for _ in 0..<50 {
      socket.send(OSCMessage(address), to: peer)
      usleep(40_000)
      if let answer = socket.receive().flatMap(\.messages).last(where: {
        $0.path == "/reply" && $0.arguments.first?.text == address
      }) {
        return answer.arguments.last
      }
    }
    return nil
  }

  @Test(
    "announce, open, save, switch and quit; no JACK client before open",
    .enabled(if: JackServer.isInstalled))
  func life() throws {
    let server = JackServer()
    defer { server.stop() }
    try #require(server.waits())
    let manager = try SessionManager()
    let home = try TemporaryFolder()
    let daemon = try #require(
      try RunningDaemon(server: server.name, folder: home, environment: manager.environment))
    defer { daemon.stop() }
    let announcement = try #require(
      manager.wait { $0.path == "/nsm/server/announce" }, "\(daemon.log)")
    #expect(announcement.types == "sssiii")
    let said = announcement.arguments
    #expect(said[0] == .string("Continuo") && said[2] == .string("continuod"))
    #expect(said[1].text?.contains(":switch:") == true && said[3] == .int(1))
    #expect(said[5] == .int(daemon.processIdentifier))
    manager.welcome()

    // No session, no JACK client, however long it waits.
    sleep(1)
    let before = try clients(of: server.name)
    #expect(before == ["system"], "\(before)")
    let tooEarly = manager.ask("/nsm/client/save")
    #expect(tooEarly?.path == "/error" && tooEarly?.arguments[1] == .int(-6))

    // A place that cannot be made is an error, and still no client.
    try Data("a file".utf8).write(to: home.file("file"))
    let bad = manager.ask(
      "/nsm/client/open",
      [.string(home.file("file/session").path), .string("Bad"), .string("Continuo.nBAD")])
    #expect(bad?.path == "/error" && bad?.arguments[1] == .int(-10))
    #expect(try clients(of: server.name) == ["system"])

    func open(_ name: String, _ id: String) -> OSCMessage? {
      manager.ask(
        "/nsm/client/open",
        [.string(home.file(name).path), .string(name), .string(id)])
    }
    #expect(open("first", "Continuo.nAAA")?.path == "/reply")
    #expect(try waits(for: "Continuo.nAAA", on: server.name), "\(daemon.log)")

    let socket = try OSCServer(port: 0)
    let peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    socket.send(OSCMessage("/knob/3/strength", [.float(1.5)]), to: peer)
    #expect(manager.wait { $0.path == "/nsm/client/is_dirty" } != nil)
    #expect(manager.ask("/nsm/client/save")?.path == "/reply")
    #expect(manager.heard.contains(OSCMessage("/nsm/client/is_clean")))
    let saved = try StateFile.load(home.file("first/state.json"))
    #expect(saved.count == 1 && saved.first?.address == "/knob/3/strength")

    // Another session: its own values, its own JACK name; the first one's are not carried over.
    #expect(open("second", "Continuo.nBBB")?.path == "/reply")
    #expect(try waits(for: "Continuo.nBBB", on: server.name), "\(daemon.log)")
    #expect(try waits(for: "Continuo.nAAA", on: server.name, isThere: false))
    #expect(value("/knob/3/strength", socket, peer)?.number == 0)
    socket.send(OSCMessage("/engine/gain", [.float(0.5)]), to: peer)
    #expect(manager.ask("/nsm/client/save")?.path == "/reply")
    let untouched = try StateFile.load(home.file("first/state.json"))
    #expect(untouched.map(\.address) == ["/knob/3/strength"])

    // And back: everything is as it was saved.
    #expect(open("first", "Continuo.nAAA")?.path == "/reply")
    #expect(value("/knob/3/strength", socket, peer)?.number == 1.5)
    #expect(value("/engine/gain", socket, peer)?.number == 1)
    #expect(try waits(for: "Continuo.nAAA", on: server.name), "\(daemon.log)")

    // A state that is broken is refused and leaves the session that is open.
    try FileManager.default.createDirectory(
      at: home.file("broken"), withIntermediateDirectories: true)
    try Data("{".utf8).write(to: home.file("broken/state.json"))
    #expect(open("broken", "Continuo.nCCC")?.path == "/error")
    #expect(value("/knob/3/strength", socket, peer)?.number == 1.5)
    #expect(try clients(of: server.name).contains("Continuo.nAAA"))

    // The manager quits a client with SIGTERM.
    #expect(daemon.stop() == 0)
    #expect(try waits(for: "Continuo.nAAA", on: server.name, isThere: false))
  }
}
