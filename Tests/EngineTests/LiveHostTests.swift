import Foundation
import Models
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite(.serialized) struct LiveHostTests {
  @Test func valuesReachTheEngineOfAPacketTogether() throws {
    let desk = try LiveDesk()
    _ = desk.commands()  // What the model asks for.
    desk.send("/knob/2/strength", [.float(1.5)])
    desk.send("/knob/3/norm", [.float(0.75)])
    desk.send("/sampling/top_k", [.int(12)])
    #expect(desk.turns { !desk.generator.commands.isEmpty })
    let commands = desk.commands()
    let changes = commands.compactMap { if case .music(let control) = $0 { control } else { nil } }
    #expect(changes.map(\.target) == [.strength, .strength, .topK])
    #expect(changes.map(\.slot) == [2, 3, 0])
    #expect(changes.map(\.value) == [1.5, 1, 12])
    #expect(
      changes.allSatisfy { $0.received > 0 }, "when it was asked for, to be told when it is heard")
    guard case .commit? = commands.last else {
      Issue.record("not committed: \(commands)")
      return
    }
  }

  @Test func levelsGoToTheAudioThreadAndOrdersToTheGenerator() throws {
    let desk = try LiveDesk()
    desk.send("/engine/gain", [.float(0.5)])
    desk.send("/engine/dry", [.float(0.25)])
    desk.send("/engine/lookahead", [.float(2)])
    desk.send("/transport/follow", [.string("bar")])
    desk.send("/transport/continue", [])
    desk.send("/transport/stop")
    #expect(desk.ask("/ping") != nil)
    #expect(desk.exchange.gain == 0.5 && desk.exchange.dry == 0.25)
    let orders = desk.commands().compactMap { command -> String? in
      switch command {
      case .lookahead(let seconds): "lookahead \(seconds)"
      case .follow(let following): "follow \(following)"
      case .play(let seconds): "play \(seconds)"
      case .stop: "stop"
      default: nil
      }
    }
    #expect(orders == ["lookahead 2.0", "follow bar", "play 10.0", "stop"])
  }

  @Test func moreChangesThanFitEndWhereThePlayerLeftThem() throws {
    let desk = try LiveDesk()
    for number in 0..<3000 {
      try desk.server.set("/knob/1/strength", .float(Float(number % 3) / 2), received: 0)
      try desk.server.set("/knob/2/alpha", .float(Float(number) / 100), received: 0)
      desk.host.commit()
    }
    let changes = desk.changes()
    #expect(changes.last { $0.slot == 1 }?.value == 1)
    #expect(changes.last { $0.slot == 2 }?.value == Double(Float(29.99)))
  }

  @Test func readingsAnswer() throws {
    let desk = try LiveDesk()
    let status = try #require(desk.ask("/status"))
    #expect(status.types == "sssiffiif", "\(status)")
    #expect(status.arguments[1...3] == [.string("listening"), .string("house"), .int(0)])
    desk.exchange.underruns.store(7, ordering: .relaxed)
    #expect(desk.ask("/engine/underruns")?.arguments.last == .int(7))
    desk.exchange.period.store(480, ordering: .relaxed)
    desk.exchange.longestCallback.store(1_000_000, ordering: .relaxed)
    let load = try #require(desk.ask("/engine/load")?.arguments.last?.number)
    #expect(abs(load - 0.1) < 1e-6, "1 ms of 10")
    #expect(desk.ask("/version")?.arguments.count == 3)
  }

  @Test func whatTheEngineReportsIsToldToSubscribersOnce() throws {
    let desk = try LiveDesk()
    _ = desk.ask("/subscribe", [.string("/*"), .int(60)])
    for report in [
      EngineReport.state(.playing), .notice(.keepsLessReady), .notice(.skipsExtras),
      .notice(.padsSilence), .meter(slot: 2, reading: 0.5, threshold: 0.25, gain: 1),
      .joined(frame: 480, seconds: 0.5),
      .applied(slot: 3, step: 77, frame: 960, received: OSCTime.now() - 0.125),
    ] {
      #expect(desk.reports(report))
    }
    desk.exchange.serverOffset.store(1000, ordering: .relaxed)
    #expect(desk.heard("/transport/state") == [.string("playing")])
    #expect(desk.ask("/transport/state")?.arguments.last == .string("playing"))
    #expect(desk.heard("/knob/2/meter") == [.float(0.5), .float(0.25), .float(1)])
    #expect(desk.heard("/transport/joined") == [.int64(1480), .double(0.5)])
    let applied = try #require(desk.heard("/knob/3/applied"))
    #expect(applied[..<2] == [.int(77), .int64(1960)])
    #expect((0.125..<5).contains(applied[2].number ?? 0))
    let latency = try #require(desk.ask("/engine/latency")).arguments
    #expect(latency.count == 4 && (latency[1].number ?? 0) >= 0.125)
    let said = desk.waiting("/engine/notice").compactMap { $0.arguments.first?.text }
    #expect(
      said == [EngineNotice.keepsLessReady, .skipsExtras, .padsSilence].map(\.text),
      "each once, in order")
  }

  @Test func aBundlePutsItsTraitOnAFreeSlotWithItsOwnSettings() throws {
    let desk = try LiveDesk()
    desk.host.load(bundle: "drums")
    #expect(desk.turns { desk.host.knobs[1] != nil })
    let knob = try #require(desk.host.knobs[1])
    #expect(desk.host.slot(ofTrait: knob.trait.id) == 1)
    #expect(desk.ask("/knob/1/name")?.arguments.last == .string(knob.trait.label))
    #expect(desk.server.parameters.text("/knob/1/direction") == knob.name)
    #expect(desk.server.parameters.number("/knob/1/alpha") == Double(knob.trait.defaults.alpha))
    // Its direction is made and handed over, once more with another power.
    var made: [DirectionSource] = []
    func take() {
      for case .direction(let direction?, let source, 1, _) in desk.generator.deliveries.take() {
        #expect(direction.width == desk.host.model.config.decoder.hidden)
        made.append(source)
      }
    }
    #expect(
      desk.turns {
        take(); return made.count == 1
      })
    desk.send("/knob/\(knob.trait.id)/power", [.float(1.5)])
    #expect(
      desk.turns {
        take(); return made.count == 2
      })
    #expect(made.map(\.name) == [knob.name, knob.name] && made[1].power == 1.5)
    desk.send("/knob/1/direction", [.string("")])
    #expect(desk.turns { desk.host.knobs[1] == nil })
    _ = desk.ask("/subscribe", [.string("/engine/notice"), .int(60)])
    desk.send("/knob/4/direction", [.string("no.such.bundle/trait")])
    #expect(desk.notice("no.such.bundle") != nil)
    #expect(desk.host.knobs[4] == nil)
  }

  @Test func aControllerIsLearnedDrivesItsAddressAndIsKept() throws {
    let desk = try LiveDesk()
    _ = desk.ask("/subscribe", [.string("/engine/notice"), .int(60)])
    #expect(desk.ask("/midi/learn", [.string("/knob/1/strength")])?.path == "/reply")
    #expect(desk.moves(0xB0_0740))
    #expect(desk.notice("learned channel 1, controller 7") != nil)
    // A controller takes hold of a value when it passes it.
    #expect(desk.moves(0xB0_073F) && desk.moves(0xB0_077F))
    #expect(desk.turns { desk.server.parameters.number("/knob/1/strength") == 2 })
    #expect(desk.changes().last?.value == 2)
    // Somebody else moves the value: the controller's lamp follows.
    while desk.exchange.midiOut.take() != 0 {}
    desk.send("/knob/1/strength", [.float(-2)])
    #expect(desk.turns { desk.exchange.midiOut.take() == 0xB0_0700 })
    let map = DataFolders(
      data: desk.folder.file("data"), configuration: desk.folder.file("configuration")
    ).midiMap
    #expect(desk.turns { MIDIMap(contentsOf: map).mappings == desk.host.midi.mappings })
    #expect(desk.ask("/midi/map", [.string("/version"), .int(1), .int(1)])?.path == "/error")
    #expect(desk.ask("/midi/unmap", [.string("/knob/1/strength")])?.path == "/reply")
    #expect(desk.turns { MIDIMap(contentsOf: map).mappings.isEmpty })
  }

  @Test func sharesAndValuesOfARangeAreInverse() {
    let store = ParameterStore()
    #expect(LiveHost.share(of: "/knob/1/strength", in: store) == 0.5)
    #expect(LiveHost.share(of: "/knob/1/mute", in: store) == 0)
    #expect(LiveHost.value(at: 1, of: "/knob/1/strength") == .double(2))
    #expect(LiveHost.value(at: 0.5, of: "/knob/1/period") == .double(50.5))
  }

  @Test func musicBeginsWithTheRecallThatTheModelAsksFor() throws {
    let desk = try LiveDesk()
    let changes = desk.commands().compactMap {
      if case .music(let control) = $0 { control } else { nil }
    }
    #expect(changes.map(\.target) == [.recall] && changes.map(\.value) == [12])
    #expect(desk.server.parameters["/sampling/recall"] == .float(12))
    #expect(desk.server.parameters.saved.isEmpty, "what is as at first is not kept")
    desk.send("/sampling/recall", [.float(0)])
    #expect(desk.turns { !desk.server.parameters.saved.isEmpty })
    #expect(desk.server.parameters.saved.map(\.value) == [.float(0)])
    // A state that says nothing of it brings back what the model asks for.
    let state = desk.folder.file("empty.json")
    try StateFile.save([], to: state)
    try desk.host.loadState(state)
    #expect(desk.server.parameters["/sampling/recall"] == .float(12))
  }

  @Test func onlyWhoMayEndsTheProgram() throws {
    let desk = try LiveDesk()
    #expect(desk.ask("/quit")?.path == "/error" && !desk.host.wantsToQuit)
    var options = LiveHost.Options()
    options.allowsQuit = true
    let other = try LiveDesk(options)
    #expect(other.ask("/quit")?.path == "/reply" && other.host.wantsToQuit)
  }
}
