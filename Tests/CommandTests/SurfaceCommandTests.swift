import Engine
import Foundation
import TestSupport
import Testing

@Suite("continuo preset surface", .serialized)
struct SurfaceCommandTests {
  private let folder: TemporaryFolder
  private let environment: [String: String]

  init() throws {
    folder = try TemporaryFolder()
    environment = [
      "XDG_DATA_HOME": folder.file("data").path, "XDG_CONFIG_HOME": folder.file("config").path,
    ]
  }

  private func run(_ arguments: String...) throws -> ProgramResult {
    try runProgram(
      "continuo", ["preset", "surface"] + arguments, environment: environment, in: folder.url)
  }

  /// One message per widget that sends something: both ends of a fader, both states of a toggle.
  private func messages(ofSession data: Data) throws -> [OSCMessage] {
    let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let content = try #require(json["content"] as? [String: Any])
    let widgets = try #require(content["widgets"] as? [[String: Any]])
    return widgets.filter { $0["bypass"] as? Bool != true }.flatMap { widget -> [OSCMessage] in
      let address = widget["address"] as? String ?? ""
      switch (widget["type"] as? String, widget["mode"] as? String) {
      case ("fader", _):
        let range = widget["range"] as? [String: NSNumber] ?? [:]
        return ["min", "max"].compactMap { range[$0]?.floatValue }.map {
          OSCMessage(address, [.float($0)])
        }
      case ("button", "toggle"): return [1, 0].map { OSCMessage(address, [.int($0)]) }
      case ("button", "tap"):
        return [OSCMessage(address, [.string(widget["on"] as? String ?? "")])]
      case ("button", _): return [OSCMessage(address)]
      case ("input", _): return [OSCMessage(address, [.string("calm piano")])]
      default: return []
      }
    }
  }

  @Test(
    "a running daemon takes every message of the written session, and of the layout",
    .enabled(if: JackServer.isInstalled))
  func accepted() throws {
    let made = try run("--out", "stage.json", "drums", "bass")
    try #require(made.status == 0, "\(made.errors)")
    #expect(made.output.contains("1  Drums") && made.output.contains("2  Bass"))
    let sent = try messages(ofSession: try Data(contentsOf: folder.file("stage.json")))
    #expect(
      try run("--format", "touchosc", "--out", "stage.tosc", "drums", "bass").status == 0)
    let layout = try TouchOSCReader(try Data(contentsOf: folder.file("stage.tosc")))
    let touched = layout.nodes.flatMap(\.messages)
    // The same page: all but the text, for which there is nothing to type into.
    #expect(Set(touched.map(\.path)) == Set(sent.map(\.path)).subtracting(["/prompt/text"]))
    let messages = sent + touched
    for leaf in ["direction", "strength", "mute", "solo"] {
      for slot in 1...2 { #expect(messages.contains { $0.path == "/knob/\(slot)/\(leaf)" }) }
    }
    #expect(
      messages.contains(
        OSCMessage("/knob/1/direction", [.string("org.continuo.house.drums/drums")])))

    let server = JackServer()
    defer { server.stop() }
    try #require(server.waits())
    let daemon = try #require(try RunningDaemon(server: server.name))
    defer { daemon.stop() }
    try #require(daemon.waitsForJACK(), "\(daemon.log)")
    let socket = try OSCServer(port: 0)
    let peer = OSCPeer(host: "127.0.0.1", port: daemon.port)
    for message in messages {
      socket.send(message, to: peer)
      // One at a time, so that an answer belongs to its question.
      socket.send(OSCMessage("/sync", [.int(7)]), to: peer)
      var heard: [OSCMessage] = []
      for _ in 0..<5000 where !heard.contains(where: { $0.path == "/synced" }) {
        usleep(2_000)
        heard += socket.receive().flatMap(\.messages)
      }
      #expect(heard.contains { $0.path == "/synced" }, "\(message) was not taken")
      #expect(!heard.contains { $0.path == "/error" }, "\(message): \(heard)")
      // A value at the end of its range is not moved: nothing is said to its sender.
      if !message.arguments.isEmpty { #expect(!heard.contains { $0.path == message.path }) }
    }
    // The name of a knob has put its trait there.
    #expect(daemon.isRunning)
    var name = ""
    for _ in 0..<100 where name != "Drums" {
      socket.send(OSCMessage("/knob/1/name"), to: peer)
      usleep(50_000)
      let answer = socket.receive().flatMap(\.messages).last {
        $0.arguments.first?.text == "/knob/1/name"
      }
      name = answer?.arguments.last?.text ?? ""
    }
    #expect(name == "Drums")
  }

  @Test("a MIDI map is what the daemon reads, and says where from")
  func midi() throws {
    let made = try run("--format", "midi", "--channel", "2", "--first-controller", "16", "drums")
    try #require(made.status == 0, "\(made.errors)")
    #expect(made.output.contains(folder.file("config/continuo/midi.json").path))
    let map = MIDIMap(contentsOf: folder.file("midi.json"))
    #expect(
      map.mappings == [MIDIMapping(address: "/knob/1/strength", channel: 2, controller: 16)])
  }

  @Test("a layout for TouchOSC is written beside, and wrong options are refused")
  func others() throws {
    #expect(try run("--format", "touchosc").status == 0)
    let data = try Data(contentsOf: folder.file("continuo.tosc"))
    #expect(data.prefix(2) == Data([0x78, 0xDA]), "zlib at its best compression")
    for wrong in [
      ["--channel", "17"], ["--first-controller", "113"], ["--host", "a b"], ["--format", "paper"],
    ] {
      #expect(try runProgram("continuo", ["preset", "surface"] + wrong).status == 64, "\(wrong)")
    }
    #expect(try run("no.such.bundle").status == 66)
    #expect(try !folder.names().contains("continuo.json"))
  }
}
