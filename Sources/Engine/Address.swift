// What one OSC address is: the unit of the table from which handlers, range checks, `/tree`, the
// manual page and the controller layouts come.

/// The type and range of one argument.
package enum ArgumentKind: Equatable, Sendable {
  case float(ClosedRange<Float>)
  case int(ClosedRange<Int32>)
  case toggle
  /// Free text of at most so many bytes.
  case text(limit: Int)
  case choice([String])

  /// The OSC type tag.
  package var tag: String {
    switch self {
    case .float: "f"
    case .int, .toggle: "i"
    case .text, .choice: "s"
    }
  }

  /// The range as text, empty where everything goes.
  package var rangeText: String {
    switch self {
    case .float(let range): "\(range.lowerBound) … \(range.upperBound)"
    case .int(let range):
      range.lowerBound == .min ? "" : "\(range.lowerBound) … \(range.upperBound)"
    case .toggle: "0, 1"
    case .text: ""
    case .choice(let names): names.map { $0.isEmpty ? "\"\"" : $0 }.joined(separator: " | ")
    }
  }
}

/// One argument of an address.
package struct Argument: Equatable, Sendable {
  package let name: String
  package let kind: ArgumentKind
  package let isOptional: Bool

  package init(_ name: String, _ kind: ArgumentKind, optional: Bool = false) {
    self.name = name
    self.kind = kind
    isOptional = optional
  }
}

/// What an address is for.
package enum AddressRole: String, Sendable {
  /// One value that is set by its argument and told without one.
  case value
  /// Told when asked, never set.
  case reading
  /// Does something and replies.
  case action
  /// Only ever sent by the daemon, to subscribers.
  case event
}

/// One row of the table.
package struct Address: Sendable {
  /// The address; `N` stands for the slots 1 … 8.
  package let pattern: String
  package let role: AddressRole
  package let arguments: [Argument]
  package let unit: String
  /// The value at the start, for values.
  package let initial: OSCValue?
  /// Type tags of what a reading or event carries.
  package let carries: String
  /// One sentence for people.
  package let sentence: String
  /// Whether presets of the whole state keep it.
  package let isSaved: Bool

  static func value(
    _ pattern: String, _ kind: ArgumentKind, _ initial: OSCValue, unit: String = "",
    saved: Bool = true, _ sentence: String
  ) -> Address {
    Address(
      pattern: pattern, role: .value, arguments: [Argument("value", kind, optional: true)],
      unit: unit, initial: initial, carries: kind.tag, sentence: sentence, isSaved: saved)
  }

  static func reading(
    _ pattern: String, _ carries: String, unit: String = "", _ sentence: String
  ) -> Address {
    Address(
      pattern: pattern, role: .reading, arguments: [], unit: unit, initial: nil, carries: carries,
      sentence: sentence, isSaved: false)
  }

  static func action(
    _ pattern: String, _ arguments: [Argument] = [], _ sentence: String
  ) -> Address {
    Address(
      pattern: pattern, role: .action, arguments: arguments, unit: "", initial: nil, carries: "",
      sentence: sentence, isSaved: false)
  }

  static func event(
    _ pattern: String, _ carries: String, unit: String = "", _ sentence: String
  ) -> Address {
    Address(
      pattern: pattern, role: .event, arguments: [], unit: unit, initial: nil, carries: carries,
      sentence: sentence, isSaved: false)
  }

  /// Whether it stands for one address per slot.
  package var isPerSlot: Bool { pattern.hasPrefix("/knob/N/") }

  /// The type tags of its arguments, optional ones in brackets.
  package var signature: String {
    arguments.map { $0.isOptional && role != .value ? "[\($0.kind.tag)]" : $0.kind.tag }.joined()
  }

  /// The last part of the address: `strength` of `/knob/N/strength`.
  package var leaf: String { String(pattern.split(separator: "/").last ?? "") }
}
