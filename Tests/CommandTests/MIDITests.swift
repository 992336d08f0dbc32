import Engine
import Foundation
import TestSupport
import Testing

/// Control changes over real JACK ports into the real daemon, and back.
@Suite("MIDI controllers", .serialized)
struct MIDITests {
  /// A daemon, a keyboard that is connected to it, and somebody who asks over OSC.
  private final class Desk {
    let daemon: RunningDaemon
    let keys: MIDIProbe
    let socket: OSCServer
    let peer: OSCPeer

    init(_ server: JackServer, folder: TemporaryFolder) throws {
      daemon = try #require(try RunningDaemon(server: server.name, folder: folder))
      try #require(daemon.waitsForJACK(), "\(daemon.log)")
      keys = try #require(MIDIProbe(server: server.name))
      #expect(keys.connect(to: daemon.jackName))
      socket = try OSCServer(port: 0)
      peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    }

    private var hasEnded = false

    func end() {
      if !hasEnded { keys.close() }
      hasEnded = true
      daemon.stop()
    }

    func tell(_ path: String, _ values: OSCValue...) {
      socket.send(OSCMessage(path, values), to: peer)
      // Once this is answered, the message before has been obeyed.
      _ = ask("/ping")
    }

    /// The lines of the answer.
    func ask(_ path: String) -> [OSCMessage] {
      var answers: [OSCMessage] = []
      socket.send(OSCMessage(path), to: peer)
      for _ in 0..<2000 {
        usleep(5_000)
        answers += socket.receive().flatMap(\.messages)
          .filter { $0.path == "/reply" && $0.arguments.first?.text == path }
        // Lists come line by line and end with their number.
        guard let last = answers.last else { continue }
        if !path.hasSuffix("/list") || last.arguments.count == 2 { return answers }
      }
      return answers
    }

    func value(_ path: String) -> Double { ask(path).last?.arguments.last?.number ?? .nan }

    /// Sends a control change and waits until the daemon must have taken it: the graph's periods, its ring
    /// and a turn of its loop are far below that.
    func turn(_ controller: Int, to value: Int, channel: Int = 1) {
      keys.turn(controller, to: value, channel: channel)
      usleep(150_000)
    }

    /// Turns again until the value is reached: for what must happen, however busy the machine is.
    func waits(_ path: String, near wanted: Double, within tolerance: Double = 1e-4) -> Bool {
      for _ in 0..<100 {
        if abs(value(path) - wanted) <= tolerance { return true }
        usleep(50_000)
      }
      return false
    }
  }

  @Test(
    "absolute, 14-bit and relative controllers, soft takeover, feedback, learning; the map survives a restart",
    .enabled(if: JackServer.isInstalled))
  func controllers() throws {
    let server = JackServer(isPatient: true)
    defer { server.stop() }
    try #require(server.waits())
    let home = try TemporaryFolder()
    let desk = try Desk(server, folder: home)
    defer { desk.end() }
    let strength = "/knob/1/strength"

    // Absolute: nothing moves until the controller has come to the value, 0, in the middle of −2 … 2.
    desk.tell("/midi/map", .string(strength), .int(1), .int(7))
    desk.turn(7, to: 10)
    desk.turn(7, to: 30)
    #expect(desk.value(strength) == 0)
    desk.turn(7, to: 64)
    #expect(desk.waits(strength, near: -2 + 4 * 64 / 127.0))
    desk.turn(7, to: 127)
    #expect(desk.waits(strength, near: 2))
    desk.turn(7, to: 0, channel: 2)
    #expect(desk.value(strength) == 2, "another channel")

    // Moved by somebody else: the fader is told, and has to catch the value again, here by passing it.
    _ = desk.keys.heard()
    desk.tell(strength, .float(-1))
    var told: [Int] = []
    for _ in 0..<100 where told.isEmpty {
      told = desk.keys.heard().filter { $0.channel == 1 && $0.controller == 7 }.map(\.value)
      usleep(20_000)
    }
    #expect(told.last == 32, "a quarter of 127")
    desk.turn(7, to: 120)
    #expect(desk.value(strength) == -1)
    desk.turn(7, to: 20)
    #expect(desk.waits(strength, near: -2 + 4 * 20 / 127.0))

    // 14 bits: a step of the fine part moves by 1/16383 of the range.
    desk.tell("/midi/map", .string("/engine/gain"), .int(2), .int(10), .string("14-bit"))
    desk.turn(10, to: 64, channel: 2)
    desk.turn(42, to: 0, channel: 2)
    #expect(desk.waits("/engine/gain", near: 2 * 8192 / 16383.0, within: 2e-6))
    desk.turn(42, to: 1, channel: 2)
    #expect(desk.waits("/engine/gain", near: 2 * 8193 / 16383.0, within: 2e-6))

    // Relative: every kind one tick up and two down; there is nothing to catch.
    for (controller, mode, up, down) in [
      (20, "relative-2c", 1, 126), (21, "relative-binary", 65, 62), (22, "relative-signed", 1, 66),
    ] {
      desk.tell("/engine/dry", .float(0.5))
      desk.tell(
        "/midi/map", .string("/engine/dry"), .int(1), .int(Int32(controller)), .string(mode))
      desk.turn(controller, to: up)
      #expect(desk.waits("/engine/dry", near: 0.5 + 1 / 128.0), "\(mode)")
      desk.turn(controller, to: down)
      #expect(desk.waits("/engine/dry", near: 0.5 - 1 / 128.0), "\(mode)")
    }

    // Learning: the next controller that moves, whatever channel it is on.
    desk.tell("/midi/learn", .string("/knob/2/strength"))
    desk.turn(33, to: 5, channel: 3)
    #expect(desk.daemon.waits(for: "learned channel 3, controller 33", seconds: 10))
    desk.turn(33, to: 64, channel: 3)
    desk.turn(33, to: 100, channel: 3)
    #expect(desk.waits("/knob/2/strength", near: -2 + 4 * 100 / 127.0))

    let map = desk.ask("/midi/list").map(\.arguments)
    #expect(map.count == 7, "six mappings and their number")
    desk.end()

    // Another daemon with the same home knows them all.
    let again = try Desk(server, folder: home)
    defer { again.end() }
    #expect(again.ask("/midi/list").map(\.arguments) == map)
    again.turn(7, to: 64)
    again.turn(7, to: 96)
    #expect(again.waits(strength, near: -2 + 4 * 96 / 127.0))
    again.tell("/midi/unmap", .string(strength))
    again.turn(7, to: 0)
    #expect(abs(again.value(strength) - (-2 + 4 * 96 / 127.0)) < 1e-4)
  }
}
