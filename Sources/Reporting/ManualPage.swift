// A page of the manual in the man macros of groff: text goes in as it is meant, everything that the formatter
// would take for a command or another character is escaped.

/// A manual page that grows from top to bottom.
package struct ManualPage: Sendable {
  /// The page's source.
  package private(set) var source: String

  /// - Parameters:
  ///   - section: 1 programs, 5 formats, 7 conventions.
  ///   - abstract: what the page is about, half a sentence.
  package init(name: String, section: Int, version: String, abstract: String) {
    let title = Self.code(name.uppercased())
    source = """
      .TH "\(title)" "\(section)" "" "Continuo \(Self.code(version))" "Continuo"
      .\\" Made by the program itself; see continuo manual.
      .ad l
      .nh
      .SH NAME
      \(Self.code(name)) \\- \(Self.prose(abstract))

      """
  }

  /// Begins a section; written in capitals as manuals do.
  package mutating func section(_ title: String) {
    source += ".SH \(Self.quoted(title.uppercased()))\n"
  }

  /// Begins a part of a section.
  package mutating func subsection(_ title: String) {
    source += ".SS \(Self.quoted(title))\n"
  }

  /// Adds paragraphs. Lines that begin with two spaces stay as they are; an empty line begins a paragraph.
  package mutating func text(_ text: String) {
    var isCode = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let wantsCode = line.hasPrefix("  ")
      if wantsCode != isCode { source += wantsCode ? ".PP\n.RS 4\n.nf\n" : ".fi\n.RE\n.PP\n" }
      isCode = wantsCode
      if isCode {
        source += Self.guarded(Self.code(line.dropFirst(2))) + "\n"
      } else if line.allSatisfy(\.isWhitespace) {
        source += ".PP\n"
      } else {
        source += Self.guarded(Self.prose(line)) + "\n"
      }
    }
    if isCode { source += ".fi\n.RE\n" }
  }

  /// Adds a term and what it means.
  /// - Parameter more: stands behind the term, not bold.
  package mutating func item(_ term: String, _ more: String = "", means text: String) {
    let parts = [term.isEmpty ? "" : "\\fB\(Self.code(term))\\fR", Self.code(more)]
    source += ".TP\n" + parts.filter { !$0.isEmpty }.joined(separator: " ") + "\n"
    source += Self.guarded(text.isEmpty ? "\\&" : Self.prose(text)) + "\n"
  }

  /// Text in which a hyphen may be one.
  private static func prose(_ text: some StringProtocol) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\e"
      case "\n": result += " "
      case "'": result += "\\(aq"
      case "`": result += "\\(ga"
      case "^": result += "\\(ha"
      case "~": result += "\\(ti"
      case "\"": result += "\\(dq"
      case _ where scalar.isASCII: result.unicodeScalars.append(scalar)
      default: result += "\\[u\(padded(String(scalar.value, radix: 16, uppercase: true)))]"
      }
    }
    // Options keep their dashes when they are copied.
    return result.replacing("--", with: "\\-\\-")
  }

  private static func padded(_ digits: String) -> String {
    String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// Text in which every hyphen is a minus, as it has to be typed.
  private static func code(_ text: some StringProtocol) -> String {
    prose(text).replacing("\\-", with: "-").replacing("-", with: "\\-")
  }

  private static func quoted(_ text: String) -> String { "\"\(prose(text))\"" }

  /// A line that is no command, whatever it begins with.
  private static func guarded(_ line: String) -> String {
    line.hasPrefix(".") || line.hasPrefix("\\(aq") || line.hasPrefix(" ") ? "\\&" + line : line
  }
}
