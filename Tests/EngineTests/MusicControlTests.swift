import Models
import Testing

@testable import Engine

@Suite struct MusicControlTests {
  /// A value in the range of a row.
  private func sample(_ kind: ArgumentKind) -> OSCValue {
    switch kind {
    case .float(let range): .float((range.lowerBound + range.upperBound) / 4)
    case .int(let range): .int(min(range.upperBound, 7))
    case .toggle: .int(1)
    case .choice(let names): .string(names[names.count - 1])
    case .text: .string("x")
    }
  }

  @Test func everyControlSaysTheMessageThatItCameFrom() {
    var targets: Set<MusicControl.Target> = []
    for address in AddressTable.addresses {
      guard let (row, slot) = AddressTable.byAddress[address], row.role == .value else { continue }
      let value = sample(row.arguments[0].kind)
      guard let control = MusicControl(address: address, value: value, received: 3) else {
        continue
      }
      targets.insert(control.target)
      #expect(control.slot == slot ?? 0 && control.received == 3)
      #expect(control.message == OSCMessage(address, [value]), "\(address)")
    }
    #expect(targets == Set(MusicControl.Target.allCases), "no setting without an address")
  }

  @Test(arguments: [
    ("/engine/gain", OSCValue.float(1)), ("/knob/1/direction", .string("a/b")),
    ("/knob/1/power", .float(2)), ("/knob/1/norm", .float(0.5)), ("/prompt/text", .string("a")),
    ("/ping", .int(1)), ("/nothing", .int(1)), ("/knob/9/strength", .float(1)),
    ("/knob/0/strength", .float(1)), ("/knob/1/meter", .float(1)),
  ])
  func whatDoesNotConcernTheCodesIsNoControl(address: String, value: OSCValue) {
    #expect(MusicControl(address: address, value: value) == nil)
  }

  @Test func aValueOfTheWrongKindIsNoControl() {
    #expect(MusicControl(address: "/knob/1/method", value: .string("magic")) == nil)
    #expect(MusicControl(address: "/knob/1/method", value: .int(1)) == nil)
    #expect(MusicControl(address: "/knob/1/strength", value: .string("loud")) == nil)
  }

  @Test func aChoiceIsItsPlaceInTheTableAndNoPlaceLiesOutside() throws {
    let decay = try #require(
      MusicControl(address: "/knob/4/method", value: .string("iti-decay")))
    #expect(decay.value == 2)
    for (value, name) in [(-5.0, "smitin"), (0, "smitin"), (1, "iti"), (99, "iti-decay")] {
      #expect(
        MusicControl(.method, slot: 4, value).message
          == OSCMessage("/knob/4/method", [.string(name)]))
    }
  }
}

@Suite struct KnobPanelTests {
  private func panel(_ controls: MusicControl...) -> KnobPanel {
    var panel = KnobPanel()
    for control in controls { panel.apply(control, stepsPerSecond: 50) }
    return panel
  }

  @Test func knobsKeepWhatTheyAreSetToEachByItself() {
    let panel = panel(
      MusicControl(.strength, slot: 2, 0.5), MusicControl(.alpha, slot: 2, 9),
      MusicControl(.period, slot: 2, 3), MusicControl(.updateRule, slot: 2, 1),
      MusicControl(.ramp, slot: 2, 0.5), MusicControl(.method, slot: 2, 1))
    let knob = panel.settings(slot: 2, start: 17)
    #expect(knob.strength == 0.5 && knob.alpha == 9 && knob.period == 3 && knob.start == 17)
    #expect(knob.updateRule == .decay && knob.method == .iti)
    #expect(knob.ramp == 25, "half a second is 25 steps")
    var untouched = SteeringSettings()
    untouched.start = 17
    #expect(panel.settings(slot: 1, start: 17) == untouched)
  }

  @Test func muteAndSoloSilenceWithoutLosingTheStrength() {
    var panel = panel(
      MusicControl(.strength, slot: 1, 1), MusicControl(.strength, slot: 2, -1),
      MusicControl(.strength, slot: 3, 2))
    func strengths() -> [Float] { (1...3).map { panel.settings(slot: $0, start: 0).strength } }
    #expect(strengths() == [1, -1, 2])
    panel.apply(MusicControl(.mute, slot: 1, 1), stepsPerSecond: 50)
    #expect(strengths() == [0, -1, 2])
    panel.apply(MusicControl(.solo, slot: 2, 1), stepsPerSecond: 50)
    #expect(strengths() == [0, -1, 0])
    // Muted and solo at once: silent.
    panel.apply(MusicControl(.solo, slot: 1, 1), stepsPerSecond: 50)
    #expect(strengths() == [0, -1, 0])
    panel.apply(MusicControl(.mute, slot: 1, 0), stepsPerSecond: 50)
    #expect(strengths() == [1, -1, 0])
    for slot in 1...2 { panel.apply(MusicControl(.solo, slot: slot, 0), stepsPerSecond: 50) }
    #expect(strengths() == [1, -1, 2])
  }

  @Test func samplingAndExtrasBelongToNoKnob() {
    let panel = panel(
      MusicControl(.temperature, 0.5), MusicControl(.topK, 9), MusicControl(.topP, 0.25),
      MusicControl(.guidance, 2), MusicControl(.recall, 6), MusicControl(.seed, 123_456_789),
      MusicControl(.extras, 0))
    #expect(
      panel.sampling
        == SamplingSettings(
          temperature: 0.5, topK: 9, topP: 0.25, guidance: 2, recall: 6, seed: 123_456_789))
    #expect(!panel.readsIdle)
    #expect(panel.settings(slot: 8, start: 0) == SteeringSettings())
  }

  @Test func valuesThatNoTableWouldLetPassDoNoHarm() {
    // A score is a file, and may say anything.
    let panel = panel(
      MusicControl(.period, slot: 1, -3), MusicControl(.method, slot: 1, 77),
      MusicControl(.topK, -4), MusicControl(.seed, -1), MusicControl(.strength, slot: 0, 1),
      MusicControl(.strength, slot: 9, 1), MusicControl(.strength, slot: -1, 1))
    let knob = panel.settings(slot: 1, start: 0)
    #expect(knob.period == 1 && knob.method == .itiDecay)
    #expect(panel.sampling.topK == 0 && panel.sampling.seed == 0)
    #expect((1...8).allSatisfy { panel.settings(slot: $0, start: 0).strength == 0 })
  }
}
