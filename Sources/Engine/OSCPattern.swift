// OSC 1.0 address patterns: `?`, `*`, `[a-z]`, `[!a-z]` and `{one,two}`, within one part of an address.
//
// Patterns come from strangers, so matching never backtracks: the set of reachable positions in the
// address is carried along the pattern, which costs at most (pattern length) · (address length).

/// An address pattern, parsed once.
package struct OSCPattern: Sendable {
  private enum Piece: Sendable {
    case byte(UInt8)
    case any
    case run
    case set([ClosedRange<UInt8>], negated: Bool)
    case choice([[UInt8]])
  }

  private let pieces: [Piece]
  /// Bytes that an address must have at least: long patterns cost nothing with short addresses.
  private let shortest: Int

  /// Whether `text` has any pattern character.
  package static func isPattern(_ text: String) -> Bool {
    text.utf8.contains { "?*[{".utf8.contains($0) }
  }

  /// Parses `text`; nil when a bracket is not closed or it is longer than 256 bytes.
  package init?(_ text: String) {
    let bytes = [UInt8](text.utf8)
    guard bytes.count <= 256 else { return nil }
    var pieces: [Piece] = []
    var index = 0
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "?"): pieces.append(.any)
      case UInt8(ascii: "*"):
        if case .run? = pieces.last {} else { pieces.append(.run) }
      case UInt8(ascii: "["):
        guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "]")) else { return nil }
        var inside = bytes[(index + 1)..<end]
        let negated = inside.first == UInt8(ascii: "!")
        if negated { inside = inside.dropFirst() }
        var ranges: [ClosedRange<UInt8>] = []
        var rest = [UInt8](inside)[...]
        while let low = rest.first {
          if rest.count >= 3, rest[rest.startIndex + 1] == UInt8(ascii: "-") {
            let high = rest[rest.startIndex + 2]
            ranges.append(min(low, high)...max(low, high))
            rest = rest.dropFirst(3)
          } else {
            ranges.append(low...low)
            rest = rest.dropFirst()
          }
        }
        pieces.append(.set(ranges, negated: negated))
        index = end
      case UInt8(ascii: "{"):
        guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
        let inside = bytes[(index + 1)..<end]
        pieces.append(
          .choice(
            inside.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
              .map { [UInt8]($0) }))
        index = end
      case let byte: pieces.append(.byte(byte))
      }
      index += 1
    }
    self.pieces = pieces
    shortest = pieces.reduce(0) { sum, piece in
      switch piece {
      case .run: sum
      case .choice(let words): sum + (words.map(\.count).min() ?? 0)
      default: sum + 1
      }
    }
  }

  /// Whether the whole of `address` matches.
  package func matches(_ address: String) -> Bool { ends(in: [UInt8](address.utf8)).last == true }

  /// Whether `address` or one of its parents matches: `/knob/1` covers `/knob/1/strength`.
  package func covers(_ address: String) -> Bool {
    let bytes = [UInt8](address.utf8)
    let reached = ends(in: bytes)
    return reached.indices.contains { index in
      reached[index] && (index == bytes.count || (index > 0 && bytes[index] == UInt8(ascii: "/")))
    }
  }

  /// For every position of `bytes`, whether the pattern can end there.
  private func ends(in bytes: [UInt8]) -> [Bool] {
    guard bytes.count >= shortest else { return [] }
    let slash = UInt8(ascii: "/")
    var reached = [Bool](repeating: false, count: bytes.count + 1)
    reached[0] = true
    for piece in pieces {
      var next = [Bool](repeating: false, count: bytes.count + 1)
      for position in 0...bytes.count where reached[position] {
        switch piece {
        case .byte(let byte):
          if position < bytes.count, bytes[position] == byte { next[position + 1] = true }
        case .any:
          if position < bytes.count, bytes[position] != slash { next[position + 1] = true }
        case .run:
          var end = position
          while !next[end] {
            next[end] = true
            guard end < bytes.count, bytes[end] != slash else { break }
            end += 1
          }
        case .set(let ranges, let negated):
          if position < bytes.count, bytes[position] != slash,
            ranges.contains(where: { $0.contains(bytes[position]) }) != negated
          {
            next[position + 1] = true
          }
        case .choice(let words):
          for word in words where bytes[position...].starts(with: word) {
            next[position + word.count] = true
          }
        }
      }
      guard next.contains(true) else { return [] }
      reached = next
    }
    return reached
  }
}
