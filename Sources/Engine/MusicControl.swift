// What changes the music: small plain values that the control thread sends to the generation thread,
// and that a take keeps with the step at which each took effect.

internal import Models

/// One change of one setting.
package struct MusicControl: Sendable, Equatable, BitwiseCopyable {
  /// The settings that codes depend on.
  package enum Target: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    case strength, alpha, period, ramp, mute, solo, method, updateRule
    case temperature, topK, topP, guidance, recall, seed
    /// Whether knobs at rest are read too.
    case extras
  }

  package var target: Target
  /// 1 … 8 for knobs, 0 for the rest.
  package var slot: Int
  /// The value; for choices its place in the table's list.
  package var value: Double
  /// When it was asked for, in seconds since 1970; 0 when it comes from a score.
  package var received: Double

  package init(_ target: Target, slot: Int = 0, _ value: Double, received: Double = 0) {
    self.target = target
    self.slot = slot
    self.value = value
    self.received = received
  }

  private static let knobLeaves: [String: Target] = [
    "strength": .strength, "alpha": .alpha, "period": .period, "ramp": .ramp, "mute": .mute,
    "solo": .solo, "method": .method, "update_rule": .updateRule,
  ]
  private static let samplingLeaves: [String: Target] = [
    "temperature": .temperature, "top_k": .topK, "top_p": .topP, "guidance": .guidance,
    "recall": .recall, "seed": .seed,
  ]

  private static let extrasAddress = "/engine/extras"

  /// The change that a checked value at a concrete address means, or nil when it does not concern the
  /// codes.
  package init?(address: String, value: OSCValue, received: Double = 0) {
    guard let (row, slot) = AddressTable.byAddress[address], row.role == .value else { return nil }
    let target: Target?
    if slot != nil {
      target = Self.knobLeaves[row.leaf]
    } else if row.pattern.hasPrefix("/sampling/") {
      target = Self.samplingLeaves[row.leaf]
    } else if row.pattern == Self.extrasAddress {
      target = .extras
    } else {
      target = nil
    }
    guard let target else { return nil }
    if case .choice(let names) = row.arguments[0].kind {
      guard let place = value.text.flatMap({ names.firstIndex(of: $0) }) else { return nil }
      self.init(target, slot: slot ?? 0, Double(place), received: received)
    } else {
      guard let number = value.number else { return nil }
      self.init(target, slot: slot ?? 0, number, received: received)
    }
  }

  /// The message that means this change.
  package var message: OSCMessage {
    if target == .extras { return OSCMessage(Self.extrasAddress, [.int(Int32(value))]) }
    let leaf = (slot > 0 ? Self.knobLeaves : Self.samplingLeaves).first { $0.value == target }?.key
    let address = (slot > 0 ? "/knob/\(slot)/" : "/sampling/") + (leaf ?? "")
    switch AddressTable.byAddress[address]?.row.arguments[0].kind {
    case .choice(let names):
      return OSCMessage(address, [.string(names[min(max(Int(value), 0), names.count - 1)])])
    case .int, .toggle: return OSCMessage(address, [.int(Int32(value))])
    default: return OSCMessage(address, [.float(Float(value))])
    }
  }
}

/// All knobs as they stand, and what they mean together.
struct KnobPanel: Sendable, Equatable {
  private struct Knob: Sendable, Equatable {
    var settings = SteeringSettings()
    var strength: Float = 0
    var isMuted = false
    var isSolo = false
  }

  private var knobs = [Knob](repeating: Knob(), count: AddressTable.slots)
  var sampling = SamplingSettings()
  /// Whether knobs at rest are read too.
  var readsIdle = true

  /// Takes a change in.
  /// - Parameter stepsPerSecond: what turns a ramp in seconds into steps.
  mutating func apply(_ control: MusicControl, stepsPerSecond: Float) {
    let value = Float(control.value)
    let index = control.slot - 1
    if (0..<knobs.count).contains(index) {
      switch control.target {
      case .strength: knobs[index].strength = value
      case .alpha: knobs[index].settings.alpha = value
      case .period: knobs[index].settings.period = max(1, Int(value))
      case .ramp: knobs[index].settings.ramp = value * stepsPerSecond
      case .mute: knobs[index].isMuted = value != 0
      case .solo: knobs[index].isSolo = value != 0
      case .method:
        let methods: [SteeringMethod] = [.smitin, .iti, .itiDecay]
        knobs[index].settings.method = methods[min(max(Int(value), 0), methods.count - 1)]
      case .updateRule: knobs[index].settings.updateRule = value == 0 ? .reset : .decay
      default: break
      }
    }
    switch control.target {
    case .temperature: sampling.temperature = value
    case .topK: sampling.topK = max(0, Int(value))
    case .topP: sampling.topP = value
    case .guidance: sampling.guidance = value
    case .recall: sampling.recall = value
    case .seed: sampling.seed = UInt64(max(0, control.value))
    case .extras: readsIdle = value != 0
    default: break
    }
  }

  /// What the steering of slot 1 … 8 is set to: mute and solo come in as strength 0.
  func settings(slot: Int, start: Int) -> SteeringSettings {
    let knob = knobs[slot - 1]
    var result = knob.settings
    let isSilent = knob.isMuted || (!knob.isSolo && knobs.contains { $0.isSolo })
    result.strength = isSilent ? 0 : knob.strength
    result.start = start
    return result
  }
}
