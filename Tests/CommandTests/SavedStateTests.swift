import Engine
import Foundation
import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// The daemon is killed while it saves its state, again and again.
@Suite("Saved state", .serialized)
struct SavedStateTests {
  private static let soaks = ProcessInfo.processInfo.environment["CONTINUO_SOAK_PART"] == "state"

  /// Asks for a value.
  private func number(_ address: String, _ socket: PacketSocket) throws -> Double {
    socket.send(OSCMessage(address).packet ?? Data())
    while true {
      let packet = try #require(socket.receive(within: 60), "no answer from \(address)")
      let answer = try #require(OSCMessage(packet: packet))
      if answer.path == "/reply", answer.arguments.first?.text == address {
        return try #require(answer.arguments[1].number)
      }
    }
  }

  /// State number `count`: the seed and eight knobs say it, so that a mixture of two states shows.
  private func send(state count: Int, _ socket: PacketSocket) {
    socket.send(OSCMessage("/sampling/seed", [.int(Int32(count))]).packet ?? Data())
    for slot in 1...AddressTable.slots {
      let value = Float(count % 10_000) * 0.01
      socket.send(OSCMessage("/knob/\(slot)/alpha", [.float(value)]).packet ?? Data())
    }
    socket.send(OSCMessage("/state/save", [.string("live")]).packet ?? Data())
  }

  @Test(
    "killed at any moment, it starts with the last state that it said was saved, or a later one, whole"
  )
  func kills() throws {
    let home = try TemporaryFolder()
    let configuration = home.file("continuo.conf")
    try Data("state = live\n".utf8).write(to: configuration)
    let states = home.url.appendingPathComponent("data/continuo/states")
    var acknowledged = 0
    var sent = 0
    var leftovers = 0
    let rounds = Self.soaks ? 100 : 5
    for round in 0...rounds {
      if let names = try? FileManager.default.contentsOfDirectory(atPath: states.path) {
        leftovers += names.count { $0.contains(".partial-") }
      }
      let daemon = try #require(
        try RunningDaemon(
          server: "continuo-no-such-server", ["--config", configuration.path], folder: home))
      defer { daemon.stop() }
      let socket = PacketSocket(to: daemon.port)
      let seed = Int(try number("/sampling/seed", socket))
      #expect(acknowledged <= seed && seed <= sent, "round \(round): \(seed)")
      if round > 0 {
        // Without a state, knobs are where they are at first, at 5.
        let wanted = seed == 0 ? 500 : seed % 10_000
        for slot in 1...AddressTable.slots {
          let alpha = try number("/knob/\(slot)/alpha", socket)
          #expect(Int((alpha * 100).rounded()) == wanted, "round \(round), slot \(slot)")
        }
        // The loader tidies up, when it comes to it. A daemon killed before its first state was on the disk
        // leaves none.
        let whole: [[String]] = acknowledged == 0 ? [[], ["live.json"]] : [["live.json"]]
        let end = ContinuousClock.now + .seconds(60)
        var names: [String] = []
        repeat {
          names = (try? FileManager.default.contentsOfDirectory(atPath: states.path)) ?? []
          usleep(20_000)
        } while !whole.contains(names) && ContinuousClock.now < end
        #expect(whole.contains(names), "round \(round): \(names)")
      }
      guard round < rounds else { break }
      let process = daemon.processIdentifier
      let moment = round == 0 ? 0 : UInt32.random(in: 5_000...400_000)
      let killed = Atomic<Bool>(false)
      let killer = Thread {
        usleep(moment)
        killed.store(true, ordering: .releasing)
        _ = Glibc.kill(process, SIGKILL)
      }
      killer.start()
      while !killed.load(ordering: .acquiring) {
        sent += 1
        send(state: sent, socket)
        // The next one is often on its way before this one is on the disk.
        let waits = Bool.random()
        while let packet = socket.receive(within: waits ? 1 : 0.001) {
          guard let answer = OSCMessage(packet: packet) else { continue }
          #expect(answer.path == "/reply", "\(answer)")
          if answer.path == "/reply" { acknowledged += 1 }
          if acknowledged == sent || !waits { break }
        }
      }
      daemon.kill()
      while let packet = socket.receive(within: 0) {
        if OSCMessage(packet: packet)?.path == "/reply" { acknowledged += 1 }
      }
      // States are saved one after another, so as many as were answered are on the disk; what came later
      // may be or not. From here on, count from what was sent.
      let file = states.appendingPathComponent("live.json")
      let kept =
        FileManager.default.fileExists(atPath: file.path)
        ? try #require(
          try StateFile.load(file).first { $0.address == "/sampling/seed" }?.value.number) : 0
      #expect(Int(kept) >= acknowledged && Int(kept) <= sent, "round \(round): \(kept)")
      // What was lost was not said to be kept: the count goes on behind what is there.
      (acknowledged, sent) = (Int(kept), Int(kept))
    }
    print(
      "killed \(rounds) times while saving: \(sent) states kept, each whole; \(leftovers) half-written files"
        + " removed at the next start")
  }

  @Test("a state that is broken is told, and the daemon starts without it")
  func broken() throws {
    let home = try TemporaryFolder()
    let configuration = home.file("continuo.conf")
    try Data("state = live\n".utf8).write(to: configuration)
    let states = home.url.appendingPathComponent("data/continuo/states")
    try FileManager.default.createDirectory(at: states, withIntermediateDirectories: true)
    try Data("{\"format\": \"continuo-st".utf8).write(
      to: states.appendingPathComponent("live.json"))
    let daemon = try #require(
      try RunningDaemon(
        server: "continuo-no-such-server", ["--config", configuration.path], folder: home))
    defer { daemon.stop() }
    #expect(daemon.waits(for: "live.json is no state of Continuo; save it again"), "\(daemon.log)")
    let socket = PacketSocket(to: daemon.port)
    #expect(try number("/sampling/seed", socket) == 0)
  }
}
