// A control surface as data: what lies where, what each part sends and what it shows. Made from bundles and
// from the address table, so that nothing on it can have another range than the daemon; written for
// programs by OpenStageControlSession and TouchOSCLayout, for hardware as a MIDI map.

import Reporting

/// One part of a surface.
package struct SurfaceControl: Equatable, Sendable {
  /// What it is.
  package enum Kind: Equatable, Sendable {
    /// Sends a number between the ends.
    case fader(range: ClosedRange<Float>, initial: Float)
    /// Sends 1 and 0.
    case toggle
    /// Sends the address when it is touched, with a text or with nothing.
    case button(argument: String?)
    /// Sends a text that is typed, of at most so many bytes, and shows the present one.
    case entry(limit: Int)
    /// Shows the text that comes to the address; without an address a text that stays.
    case text
    /// Shows one of the three numbers of a knob's meter, 0 the reading and 2 the gain, both 0 … 1.
    case meter(place: Int)
  }

  /// Where it lies, in points from the upper left corner.
  package struct Frame: Equatable, Sendable {
    package let x: Int
    package let y: Int
    package let width: Int
    package let height: Int
  }

  /// Unique on the surface: the address without its first slash, where there is one.
  package let name: String
  /// Empty for what neither sends nor hears.
  package let address: String
  /// What a player reads. No character of it means anything in the files that it is written to.
  package let label: String
  package let kind: Kind
  package let frame: Frame

  /// Whether a hand on it sends something.
  package var sends: Bool {
    switch kind {
    case .fader, .toggle, .button, .entry: true
    case .text, .meter: false
    }
  }

  /// Whether a fader lies on its side.
  package var isHorizontal: Bool { frame.width > frame.height }
}

/// Everything that a player needs on one page.
package struct Surface: Sendable {
  /// Points.
  package static let width = 1024
  package static let height = 768

  package private(set) var controls: [SurfaceControl] = []
  /// Slots that it shows.
  package let slots: Int
  private let knobs: [PresetKnob]

  /// A surface for knobs on slots 1, 2, … in their order, at most eight; without knobs for eight plain slots.
  package init(knobs: [PresetKnob]) {
    self.knobs = Array(knobs.prefix(AddressTable.slots))
    slots = knobs.isEmpty ? AddressTable.slots : self.knobs.count
    addHead()
    for slot in 1...slots { addStrip(slot) }
    addFoot()
  }

  /// Transport, what the daemon says, and the text.
  private mutating func addHead() {
    show("/transport/state", at: (8, 8, 160, 36))
    show("/status", at: (176, 8, 312, 36))
    show("/engine/notice", at: (496, 8, 520, 36))
    let buttons = [
      ("/transport/listen", "Listen"), ("/transport/continue", "Continue"),
      ("/transport/restart", "Restart"), ("/transport/stop", "Stop"),
      ("/transport/auto", "Automatic"), ("/knobs/zero", "Knobs off"), ("/take/keep", "Keep take"),
    ]
    for (place, (address, label)) in buttons.enumerated() {
      add(address, label, at: (8 + place * 144, 52, 136, 56))
    }
    add("/prompt/text", "Text", at: (8, 116, 856, 40))
    add("/prompt/clear", "Clear", at: (872, 116, 144, 40))
  }

  /// One knob: its name, which puts the trait on the slot; strength; the model's reading and the gain; mute and solo.
  private mutating func addStrip(_ slot: Int) {
    let width = 1008 / max(slots, 4)
    let x = 8 + (slot - 1) * width
    let inner = width - 8
    let base = "/knob/\(slot)/"
    if slot <= knobs.count {
      let knob = knobs[slot - 1]
      add(base + "direction", knob.trait.label, argument: knob.name, at: (x, 164, inner, 44))
      if knob.trait.ends.count == 2 {
        let ends = "\(knob.trait.ends[0]) … \(knob.trait.ends[1])"
        write("ends/\(slot)", ends, at: (x, 212, inner, 20))
      }
    } else {
      write("name/\(slot)", "Knob \(slot)", at: (x, 164, inner, 44))
    }
    let bar = inner / 5
    add(base + "strength", "Strength", at: (x, 236, inner - 2 * bar - 8, 280))
    for (column, place) in [0, 2].enumerated() {
      controls.append(
        SurfaceControl(
          name: "knob/\(slot)/meter/\(place)", address: base + "meter",
          label: place == 0 ? "Reading" : "Gain", kind: .meter(place: place),
          frame: frame((x + inner - (2 - column) * bar, 236, bar - 4, 280))))
    }
    add(base + "mute", "Mute", at: (x, 524, inner / 2 - 4, 40))
    add(base + "solo", "Solo", at: (x + inner / 2, 524, inner / 2, 40))
  }

  /// What is set rarely.
  private mutating func addFoot() {
    let settings = [
      ("/sampling/temperature", "Temperature"), ("/sampling/recall", "Recall of the prompt"),
      ("/sampling/guidance", "Guidance by the text"), ("/prompt/seconds", "Seconds of prompt"),
      ("/engine/gain", "Level"), ("/engine/dry", "Level of the input"),
      ("/engine/lookahead", "Look-ahead in seconds"), ("/engine/guard", "Hold the loudness"),
    ]
    for (place, (address, label)) in settings.enumerated() {
      let (x, y) = (8 + place % 4 * 252, 576 + place / 4 * 92)
      let isToggle = AddressTable.byAddress[address]?.row.arguments.first?.kind == .toggle
      if !isToggle { write("label\(address)", label, at: (x, y, 244, 20)) }
      add(address, label, at: (x, isToggle ? y : y + 24, 244, isToggle ? 76 : 52))
    }
  }

  /// Adds what the address table says that the address is.
  private mutating func add(
    _ address: String, _ label: String, argument: String? = nil, at place: (Int, Int, Int, Int)
  ) {
    guard let row = AddressTable.byAddress[address]?.row else {
      preconditionFailure("\(address) is on the surface and not in the table")
    }
    let kind: SurfaceControl.Kind
    switch (row.role, row.arguments.first?.kind) {
    case (.action, _): kind = .button(argument: argument)
    case (.value, .float(let range)):
      kind = .fader(range: range, initial: Float(row.initial?.number ?? 0))
    case (.value, .toggle): kind = .toggle
    case (.value, .text(let limit)):
      kind = argument == nil ? .entry(limit: limit) : .button(argument: argument)
    default: preconditionFailure("\(address) cannot be put on a surface")
    }
    controls.append(
      SurfaceControl(
        name: String(address.dropFirst()), address: address, label: Self.plain(label), kind: kind,
        frame: frame(place)))
  }

  private mutating func show(_ address: String, at place: (Int, Int, Int, Int)) {
    controls.append(
      SurfaceControl(
        name: String(address.dropFirst()), address: address, label: "", kind: .text,
        frame: frame(place)))
  }

  private mutating func write(_ name: String, _ text: String, at place: (Int, Int, Int, Int)) {
    controls.append(
      SurfaceControl(
        name: name, address: "", label: Self.plain(text), kind: .text, frame: frame(place)))
  }

  private func frame(_ place: (Int, Int, Int, Int)) -> SurfaceControl.Frame {
    SurfaceControl.Frame(x: place.0, y: place.1, width: place.2, height: place.3)
  }

  /// A stranger's text without what would be more than text: Open Stage Control runs what stands in braces
  /// and takes ^ for icons, both programs read mark-up.
  private static func plain(_ text: String) -> String {
    String(printable(text, limit: 60).filter { !"{}<>&\\^\"'".contains($0) })
  }

  /// The strengths on the knobs of a hardware controller: a trait's suggested control change where it has one
  /// that is free, else `first`, `first` + 1 and so on, on `channel`.
  package func midiMap(channel: Int, first: Int) -> MIDIMap {
    var map = MIDIMap()
    for slot in 1...slots {
      let address = "/knob/\(slot)/strength"
      let suggested = slot <= knobs.count ? knobs[slot - 1].trait.control : nil
      let plain = MIDIMapping(address: address, channel: channel, controller: first + slot - 1)
      let wanted = suggested.map {
        MIDIMapping(address: address, channel: $0.channel ?? channel, controller: $0.controller)
      }
      let isFree = wanted.map { wanted in
        !map.mappings.contains {
          $0.channel == wanted.channel && $0.controller == wanted.controller
        }
      }
      map.map(isFree == true ? wanted ?? plain : plain)
    }
    return map
  }
}
