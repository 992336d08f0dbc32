// The values behind the addresses: checked, coerced, clamped. Used by the control thread alone.

/// What became of a value that was set.
package struct Setting: Equatable, Sendable {
  /// The value now.
  package let value: OSCValue
  /// Whether it had to be moved into the range.
  package let wasClamped: Bool
}

/// All values by concrete address.
package struct ParameterStore: Sendable {
  private var values: [String: OSCValue]
  private var initials: [String: OSCValue] = [:]

  /// Every value at its initial setting.
  package init() {
    for (address, entry) in AddressTable.byAddress {
      if let initial = entry.row.initial { initials[address] = initial }
    }
    values = initials
  }

  /// What the value at `address` is at first: the table's, or what `begin` said.
  package func initial(_ address: String) -> OSCValue? { initials[address] }

  /// Gives a value another initial setting than the table's, and sets it.
  /// - Throws: what `set` throws.
  package mutating func begin(_ address: String, with value: OSCValue) throws {
    initials[address] = try set(address, value).value
  }

  /// The value at `address`, or nil when it holds none.
  package subscript(address: String) -> OSCValue? { values[address] }

  /// The number at `address`, 0 when there is none.
  package func number(_ address: String) -> Double { values[address]?.number ?? 0 }

  /// The text at `address`, empty when there is none.
  package func text(_ address: String) -> String { values[address]?.text ?? "" }

  /// Values that differ from their initial setting and are to be kept, sorted by address.
  package var saved: [(address: String, value: OSCValue)] {
    values.compactMap { address, value in
      guard let row = AddressTable.byAddress[address]?.row, row.isSaved,
        initials[address] != value
      else { return nil }
      return (address, value)
    }.sorted { $0.0 < $1.0 }
  }

  /// Checks and stores `argument` for a value's address. `/knob/N/norm` and `/knob/N/strength` are two
  /// faces of one value, kept in step.
  /// - Throws: `ControlError` for wrong types, NaN and infinities, unknown choices, long texts.
  package mutating func set(_ address: String, _ argument: OSCValue) throws -> Setting {
    guard let row = AddressTable.byAddress[address]?.row, row.role == .value else {
      throw ControlError.unknownAddress(address)
    }
    let result = try Self.check(argument, as: row.arguments[0], address: address)
    values[address] = result.value
    if row.leaf == "norm", let norm = result.value.number {
      values[address.replacing("/norm", with: "/strength")] = .float(Float(norm * 4 - 2))
    } else if row.pattern == "/knob/N/strength", let strength = result.value.number {
      values[address.replacing("/strength", with: "/norm")] = .float(Float((strength + 2) / 4))
    }
    return result
  }

  /// `value` as what `argument` wants: integers, doubles and booleans become the number wanted,
  /// fractions are rounded to integers, numbers outside the range move to its nearer end.
  package static func check(
    _ value: OSCValue, as argument: Argument, address: String
  ) throws -> Setting {
    func mismatch() -> ControlError {
      .wrongType(
        address: address, argument: argument.name, given: String(value.tag),
        wanted: argument.kind.tag)
    }
    switch argument.kind {
    case .float(let range):
      guard let number = value.number else { throw mismatch() }
      guard number.isFinite else { throw ControlError.notFinite(address: address) }
      let inside = min(max(number, Double(range.lowerBound)), Double(range.upperBound))
      return Setting(value: .float(Float(inside)), wasClamped: inside != number)
    case .int(let range):
      guard let number = value.number else { throw mismatch() }
      guard number.isFinite else { throw ControlError.notFinite(address: address) }
      let rounded = number.rounded()
      let inside = min(max(rounded, Double(range.lowerBound)), Double(range.upperBound))
      return Setting(value: .int(Int32(inside)), wasClamped: inside != rounded)
    case .toggle:
      guard let number = value.number else { throw mismatch() }
      guard number.isFinite else { throw ControlError.notFinite(address: address) }
      return Setting(value: .int(number >= 0.5 ? 1 : 0), wasClamped: false)
    case .text(let limit):
      guard let text = value.text else { throw mismatch() }
      guard text.utf8.count <= limit else {
        throw ControlError.tooLong(address: address, limit: limit)
      }
      return Setting(value: value, wasClamped: false)
    case .choice(let names):
      guard let text = value.text else { throw mismatch() }
      guard names.contains(text) else {
        throw ControlError.notAChoice(
          address: address, given: text, choices: names.joined(separator: ", "))
      }
      return Setting(value: value, wasClamped: false)
    }
  }

  /// What `set` at this address can change: itself and its other face.
  package func kept(at address: String) -> [(address: String, value: OSCValue?)] {
    var addresses = [address]
    if address.hasSuffix("/norm") {
      addresses.append(address.replacing("/norm", with: "/strength"))
    } else if address.hasSuffix("/strength") {
      addresses.append(address.replacing("/strength", with: "/norm"))
    }
    return addresses.map { ($0, values[$0]) }
  }

  /// Puts back what `kept` told.
  package mutating func putBack(_ kept: [(address: String, value: OSCValue?)]) {
    for (address, value) in kept { values[address] = value }
  }

  /// Checks the arguments of an action: count, types, ranges.
  package static func check(_ arguments: [OSCValue], of row: Address) throws -> [OSCValue] {
    let required = row.arguments.count { !$0.isOptional }
    guard arguments.count >= required, arguments.count <= row.arguments.count else {
      throw ControlError.wrongCount(
        address: row.pattern, given: arguments.count, wanted: row.signature)
    }
    return try zip(arguments, row.arguments).map { value, argument in
      try check(value, as: argument, address: row.pattern).value
    }
  }
}
