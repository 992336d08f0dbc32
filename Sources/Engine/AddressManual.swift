// The OSC surface for people to read: a Markdown table and a manual page, made from the same rows as handlers and checks.

import Foundation
package import Reporting

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

  /// The table as page 7 of the manual.
  package static func page(version: String) -> ManualPage {
    var page = ManualPage(
      name: "continuo-osc", section: 7, version: version,
      abstract: "the Open Sound Control addresses of continuod")
    page.section("Description")
    page.text(
      """
      continuod listens on UDP port 9770 of this machine only, unless --osc-port and --osc-bind say otherwise. \
      In the addresses N is a slot, 1 to 8, or the id of a trait that is on one. Patterns of OSC 1.0 \
      reach every address that they match.

      A value is told when its address is sent without an argument, and set with one; numbers of any type \
      do. Out of range is moved to the nearer end, and the sender hears the value that it became. \
      Whoever subscribed hears of changes, but not of its own.

      A bundle takes effect whole at one step of the music. One with a time tag in the future waits for \
      that time, at most an hour; a late one takes effect now and is counted.

      Answers are /reply with the address and what was asked for, or ok. Errors are /error with the address, \
      a code and one line: what is wrong; what to do about it. The codes are those of New \
      Session Manager: -1 general, -5 no such thing, -8 not now, -10 cannot be written.
      """)
    page.section("Addresses")
    for row in AddressTable.rows {
      let arguments = row.arguments.map { argument -> String in
        let text = row.role == .value ? argument.kind.tag : "\(argument.kind.tag) \(argument.name)"
        return argument.isOptional ? "[\(text)]" : text
      }
      var meaning = row.sentence
      for argument in row.arguments where !argument.kind.rangeText.isEmpty {
        let what =
          row.role == .value
          ? "Range" : "Range of \(argument.name)"
        meaning += " \(what): \(argument.kind.rangeText)\(row.unit.isEmpty ? "" : " \(row.unit)")."
      }
      if row.role == .value, let initial = row.initial, let shown = text(of: initial) {
        meaning += " At first \(shown)."
      }
      let more =
        switch row.role {
        case .value, .action: arguments.joined(separator: ", ")
        case .reading: "answers \(row.carries)"
        case .event: "is sent \(row.carries)"
        }
      page.item(row.pattern, more, means: meaning)
    }
    page.section("Examples")
    page.text(
      """
        continuo send /transport/continue
        continuo send /knob/drums/strength 1
        oscsend 127.0.0.1 9770 /knob/1/strength f 0.5
        continuo watch '/knob/*/meter'
      """)
    page.section("See also")
    page.text("continuo(1), continuod(1), continuo-bundle(5), oscsend(1)")
    return page
  }

  private static func text(of value: OSCValue) -> String? {
    if let text = value.text { return text.isEmpty ? nil : text }
    guard let number = value.number else { return nil }
    return String(format: "%g", number)
  }
}
