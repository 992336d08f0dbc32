import Audio
import Foundation
import TestSupport
import Testing

@testable import Engine

@Suite(.serialized) struct LiveHostFilesTests {
  @Test func aStateBringsValuesBackAndAllOthersToTheirStart() throws {
    let desk = try LiveDesk()
    desk.send("/knob/2/strength", [.float(0.5)])
    #expect(desk.ask("/state/save", [.string("evening")])?.path == "/reply")
    let file = desk.folder.file("data/states/evening.json")
    #expect(FileManager.default.fileExists(atPath: file.path), "answered when it is there")
    desk.send("/knob/2/strength", [.float(-1)])
    desk.send("/engine/gain", [.float(0)])
    #expect(desk.ask("/state/load", [.string("evening")])?.path == "/reply")
    #expect(desk.server.parameters.number("/knob/2/strength") == 0.5)
    #expect(desk.server.parameters.number("/engine/gain") == 1 && desk.exchange.gain == 1)
    #expect(desk.changes().last { $0.target == .strength && $0.slot == 2 }?.value == 0.5)
    // Saved and loaded in one breath: the order of the messages counts.
    desk.send("/knob/2/strength", [.float(2)])
    desk.send("/state/save", [.string("evening")])
    desk.send("/knob/2/strength", [.float(0)])
    #expect(desk.ask("/state/load", [.string("evening")])?.path == "/reply")
    #expect(desk.server.parameters.number("/knob/2/strength") == 2)
  }

  @Test(arguments: [
    "/state/save", "/state/load", "/prompt/load", "/preset/load", "/preset/info", "/take/keep",
  ])
  func namesAreNeverPaths(address: String) throws {
    let desk = try LiveDesk()
    for name in ["../x", "/etc/passwd", ".x", "a/b"] {
      #expect(desk.ask(address, [.string(name)])?.path == "/error", "\(name)")
    }
    #expect(try desk.folder.names().isEmpty)
  }

  @Test func aStateThatIsNotThereOrBrokenIsTold() throws {
    let desk = try LiveDesk()
    let answer = desk.ask("/state/load", [.string("none")])
    #expect(answer?.arguments.last?.text?.hasPrefix("no state named none") == true)
    _ = desk.ask("/subscribe", [.string("/engine/notice"), .int(60)])
    let states = desk.folder.file("data/states")
    try FileManager.default.createDirectory(at: states, withIntermediateDirectories: true)
    try Data("{".utf8).write(to: states.appendingPathComponent("broken.json"))
    desk.host.restore(state: "none")
    desk.host.restore(state: "broken")
    #expect(desk.notice("is no state of Continuo") != nil)
    #expect(desk.waiting("/engine/notice").isEmpty, "one that was never saved is no problem")
  }

  @Test func bundlesAreListedToldAndTakenOff() throws {
    let desk = try LiveDesk()
    let id = "org.continuo.house.drums"
    #expect(desk.ask("/preset/load", [.string(id)])?.path == "/reply")
    #expect(desk.turns { desk.host.knobs[1] != nil })
    let info = try #require(desk.ask("/preset/info", [.string(id)]))
    #expect(
      info.arguments[1].text?.hasPrefix(id) == true && info.arguments[2].text?.contains(id) == true)
    desk.send("/preset/list")
    let listed = desk.heard("/reply") {
      $0.first?.text == "/preset/list" && $0[1].text?.hasPrefix(id) == true
    }
    #expect(listed?.last == .int(1), "loaded")
    #expect(desk.ask("/preset/unload", [.string(id)])?.path == "/reply")
    #expect(desk.turns { desk.host.knobs.isEmpty })
    #expect(desk.ask("/preset/unload", [.string(id)])?.path == "/error")
    #expect(desk.ask("/preset/rescan")?.path == "/reply")
  }

  @Test func aSoundFromThePromptsFolderBecomesThePrompt() throws {
    let desk = try LiveDesk()
    let prompts = desk.folder.file("data/prompts")
    try FileManager.default.createDirectory(at: prompts, withIntermediateDirectories: true)
    let tone = (0..<96_000).map { 0.3 * sin(Float($0) * 0.05) }
    try AudioFile.write(
      AudioClip(rate: 48_000, channels: [tone]), to: prompts.appendingPathComponent("tone.wav"))
    _ = desk.ask("/subscribe", [.string("/engine/notice"), .int(60)])
    desk.send("/prompt/seconds", [.float(1)])
    #expect(desk.ask("/prompt/load", [.string("tone")])?.path == "/reply")
    #expect(desk.notice("prompt tone is ready") != nil)
    let K = desk.host.instrument.codebooks
    guard case .prompt(let codes, let sound)? = desk.generator.deliveries.take().first else {
      Issue.record("no prompt was handed over")
      return
    }
    #expect(codes.count == 50 * K && sound.count == 32_000)
    #expect(desk.ask("/prompt/load", [.string("flute")])?.path == "/error")
  }

  @Test func takesAreWrittenListedAndNeverOverwritten() throws {
    let desk = try LiveDesk()
    _ = desk.ask("/subscribe", [.string("/engine/notice"), .int(60)])
    desk.host.write(desk.material("one"))
    #expect(desk.notice("kept one") != nil)
    desk.send("/take/list")
    #expect(desk.heard("/reply") { $0 == [.string("/take/list"), .string("one")] } != nil)
    let take = try RecordedTake(folder: desk.folder.file("data/takes/one"))
    #expect(take.description.frames == 30 && take.description.model == "house")
    desk.host.write(desk.material("one"))
    #expect(desk.notice("exists already") != nil)
    desk.host.write(desk.material("two", frames: 0))
    #expect(desk.notice("nothing was played") != nil)
    // Nobody asked for this one, and nothing is recorded by itself.
    desk.generator.takes.post(desk.material("three", isAutomatic: true))
    desk.turn()
    #expect(!desk.host.loader.isBusy)
  }

  @Test func whereEverythingIsRecordedTakesGetNamesOfTheirOwn() throws {
    var options = LiveHost.Options()
    options.records = true
    let desk = try LiveDesk(options)
    for _ in 0..<2 { desk.generator.takes.post(desk.material("", isAutomatic: true)) }
    #expect(desk.turns { desk.host.takeNames.count == 2 })
    #expect(desk.host.takeNames.allSatisfy { $0.hasPrefix("take-20") })
  }

  @Test func moreThanCanBeWorkedOffIsRefused() throws {
    let desk = try LiveDesk()
    for _ in 0..<Loader.limit { desk.host.keepTake(named: "x") }
    let refused = try #require(desk.ask("/take/keep", [.string("y")]))
    #expect(refused.path == "/error" && refused.arguments.last?.text?.contains("worked on") == true)
    // The generation thread answers them; then there is room again.
    desk.generator.takes.post(desk.material("x", frames: 0))
    desk.turn()
    #expect(desk.ask("/take/keep", [.string("y")])?.path == "/reply")
  }

  @Test func aSessionManagerSaysWhereTheStateLies() throws {
    try JackServer.withoutServers {
      let desk = try LiveDesk()
      let manager = OSCPeer(host: "127.0.0.1", port: 14_000)
      let session = try #require(SessionClient(url: "osc.udp://127.0.0.1:14000/") { _, _ in })
      desk.host.join(session, port: desk.port)
      let place = desk.folder.file("session/Show")
      func open() -> Bool {
        session.take(
          OSCMessage(
            "/nsm/client/open", [.string(place.path), .string("Show"), .string("Continuo.nA")]),
          from: manager)
      }
      #expect(open())
      defer { desk.port.stop() }
      try desk.server.set("/knob/1/strength", .float(1.25), received: 0)
      #expect(session.take(OSCMessage("/nsm/client/save"), from: manager))
      let file = place.appendingPathComponent("state.json")
      #expect(try StateFile.load(file).map(\.address) == ["/knob/1/strength"])
      try desk.server.set("/knob/1/strength", .float(0), received: 0)
      #expect(open())
      #expect(desk.server.parameters.number("/knob/1/strength") == 1.25)
      desk.host.write(desk.material("of the session"))
      let take = place.appendingPathComponent("takes/of the session/take.json")
      #expect(desk.turns { FileManager.default.fileExists(atPath: take.path) })
    }
  }

  @Test func halfWrittenFilesOfAKilledRunAreRemoved() throws {
    let desk = try LiveDesk()
    let dead = Process()
    dead.executableURL = URL(fileURLWithPath: "/bin/true")
    try dead.run()
    dead.waitUntilExit()
    let takes = desk.folder.file("data/takes")
    let half = takes.appendingPathComponent(".5-\(dead.processIdentifier).partial-take-1")
    try FileManager.default.createDirectory(at: half, withIntermediateDirectories: true)
    desk.host.removeLeftovers()
    #expect(desk.turns { !FileManager.default.fileExists(atPath: half.path) })
  }

  @Test func theEndFadesAndKeepsWhatWasPlayed() throws {
    var options = LiveHost.Options()
    options.records = true
    let desk = try LiveDesk(options)
    desk.generator.takes.post(desk.material("last", isAutomatic: true))
    desk.host.fadeOut()
    #expect(desk.exchange.gain == 0)
    let take = try RecordedTake(folder: desk.folder.file("data/takes/last"))
    #expect(take.description.frames == 30)
    let stops = desk.commands().count { if case .stop = $0 { true } else { false } }
    #expect(stops == 1, "the generator is stopped")
  }
}
