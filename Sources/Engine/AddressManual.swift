// The OSC surface for people to read: a Markdown table made from the same rows as handlers and checks.

import Foundation

/// The table as text.
package enum AddressManual {
  /// One line per address: address, arguments with their range, what the daemon sends, what it means.
  package static var markdown: String {
    var lines = ["| address | arguments | meaning |", "|---|---|---|"]
    for row in AddressTable.rows {
      let given = row.arguments.map { argument -> String in
        let range = argument.kind.rangeText.replacing("|", with: "\\|")
        let text =
          "\(argument.kind.tag)" + (row.role == .value ? "" : " \(argument.name)")
          + (range.isEmpty ? "" : " \(range)") + (row.unit.isEmpty ? "" : " \(row.unit)")
        return argument.isOptional && row.role != .value ? "[\(text)]" : text
      }
      let arguments: String
      switch row.role {
      case .value, .action: arguments = given.joined(separator: ", ")
      case .reading: arguments = "answers \(row.carries)"
      case .event: arguments = "is sent \(row.carries)"
      }
      var meaning = row.sentence
      if row.role == .value, let initial = row.initial, let shown = text(of: initial) {
        meaning += " At first \(shown)."
      }
      lines.append("| `\(row.pattern)` | \(arguments) | \(meaning) |")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func text(of value: OSCValue) -> String? {
    if let text = value.text { return text.isEmpty ? nil : text }
    guard let number = value.number else { return nil }
    return String(format: "%g", number)
  }
}
