// The steering tables as text, JSON and one self-contained HTML page.

import Foundation
import Reporting

struct SteeringReport: Codable {
  struct Entry: Codable {
    var trait: String
    /// By the probes, 0 … 1.
    var success: Double
    /// By the outside judge, 0 … 1.
    var presence: Double
    var similarity: Double
    var gain: Double
    var clips: Int
    /// Fréchet distance of the judge's embeddings to real songs with the trait.
    var distance: Double?
    /// Standard error of the presence.
    var error: Double?
    var together: Double?
    var heardTogether: Double?
    var gainOverTime: [Float]?
  }

  struct Pair: Codable {
    var trait: String
    var reading: Float
    var logit: Float
  }

  struct Row: Codable {
    var name: String
    var entries: [Entry] = []
    /// Reading and logit of every clip, for the correlation.
    var correlation: [Pair] = []

    init(name: String) { self.name = name }

    private enum CodingKeys: String, CodingKey { case name, entries }

    func mean(_ value: (Entry) -> Double?) -> Double {
      let values = entries.compactMap(value).filter(\.isFinite)
      return values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count)
    }

    /// Standard error of the mean presence of the traits, whose clips are others; nil where it is not known.
    var error: Double? {
      let values = entries.compactMap(\.error).filter(\.isFinite)
      guard !values.isEmpty, values.count == entries.count else { return nil }
      return values.reduce(0) { $0 + $1 * $1 }.squareRoot() / Double(values.count)
    }
  }

  struct Table: Codable {
    var title: String
    var note: String
    var rows: [Row] = []
  }

  var model: String
  var clips: Int
  var seconds: Double
  var dose: Dose?
  var tables: [Table] = []
  /// Spearman correlation of readings and the judge's logits over all clips, per trait.
  var correlation: [String: Double] = [:]

  /// The columns of a table and how they are shown.
  func columns(_ table: Table) -> [(
    title: String, value: (Entry) -> Double?, scale: Double
  )] {
    var columns: [(String, (Entry) -> Double?, Double)] = [
      ("success %", { $0.success }, 100), ("presence %", { $0.presence }, 100),
      ("distance", { $0.distance }, 1), ("similarity", { $0.similarity }, 1),
      ("gain", { $0.gain }, 1), ("± presence", { $0.error }, 100),
    ]
    if table.rows.contains(where: { $0.entries.contains { $0.together != nil } }) {
      columns += [
        ("together %", { $0.together }, 100), ("heard together %", { $0.heardTogether }, 100),
      ]
    }
    return columns.filter { column in
      table.rows.contains { row in row.entries.contains { column.1($0)?.isFinite == true } }
    }
  }

  private func figure(_ value: Double?, _ scale: Double) -> String {
    guard let value, value.isFinite else { return "–" }
    return String(format: scale == 100 ? "%.1f" : "%.3f", value * scale)
  }

  /// Tables for a terminal: means, then every trait.
  var text: String {
    var lines = [heading]
    for table in tables {
      lines += ["", table.title, table.note]
      let columns = columns(table)
      let traits = table.rows.first?.entries.map(\.trait) ?? []
      let width = max(table.rows.map(\.name.count).max() ?? 0, 10)
      for column in columns {
        lines.append("")
        lines.append(
          pad(column.title, width) + pad("mean", 12) + traits.map { pad($0, 12) }.joined())
        for row in table.rows {
          lines.append(
            pad(row.name, width) + pad(figure(row.mean(column.value), column.scale), 12)
              + row.entries.map { pad(figure(column.value($0), column.scale), 12) }.joined())
        }
      }
      for row in table.rows {
        for entry in row.entries {
          guard let curve = entry.gainOverTime, curve.count > 1 else { continue }
          lines.append(
            "\(row.name), \(entry.trait), gain per half minute: "
              + curve.map { String(format: "%.2f", $0) }.joined(separator: " "))
        }
      }
    }
    if !correlation.isEmpty {
      lines += ["", "Spearman correlation of the probes' mean reading with the judge's mean logit"]
      for (trait, value) in correlation.sorted(by: { $0.key < $1.key }) {
        lines.append("  \(trait) \(String(format: "%.2f", value))")
      }
    }
    return lines.joined(separator: "\n")
  }

  var heading: String {
    let dose = dose.map { ", chosen dose \($0.name)" } ?? ""
    return
      "Steering of model \(printable(model)): \(clips) clips of \(String(format: "%g", seconds)) s per cell\(dose)"
  }

  private func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(width - text.count, 0) + 2)
  }

  /// One page without scripts or links.
  var html: String {
    var body = "<h1>\(escape(heading))</h1>\n"
    for table in tables {
      body += "<h2>\(escape(table.title))</h2>\n<p>\(escape(table.note))</p>\n"
      let picture = SteeringPicture(table: table)
      body += picture.presence + (picture.price ?? "")
      let traits = table.rows.first?.entries.map(\.trait) ?? []
      for column in columns(table) {
        body += "<table><tr><th>\(escape(column.title))</th><th>mean</th>"
        body += traits.map { "<th>\(escape($0))</th>" }.joined() + "</tr>\n"
        for row in table.rows {
          body += "<tr><td>\(escape(row.name))</td>"
          body += "<td><b>\(figure(row.mean(column.value), column.scale))</b></td>"
          body += row.entries.map { "<td>\(figure(column.value($0), column.scale))</td>" }.joined()
          body += "</tr>\n"
        }
        body += "</table>\n"
      }
    }
    if !correlation.isEmpty {
      body += "<h2>Spearman correlation of probes and judge</h2><table>\n"
      for (trait, value) in correlation.sorted(by: { $0.key < $1.key }) {
        body += "<tr><td>\(escape(trait))</td><td>\(String(format: "%.2f", value))</td></tr>\n"
      }
      body += "</table>\n"
    }
    return """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><title>Steering</title><style>
      body { font-family: sans-serif; margin: 2em; max-width: 70em; color: #222 }
      table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .25em .8em; border-bottom: 1px solid #ddd; text-align: right }
      td:first-child, th:first-child { text-align: left }
      </style></head><body>
      \(body)</body></html>

      """
  }

  private func escape(_ value: String) -> String {
    printable(value, limit: 2000).replacingOccurrences(of: "&", with: "&amp;")
      .replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;")
  }

  /// Writes report.txt, report.md, report.json and report.html, and the pictures by themselves: continuation-presence.svg.
  /// - Parameter name: another beginning than “report”; the pictures' names then begin with it, too.
  func write(to folder: URL, name: String = "report") throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    func write(_ data: Data, _ end: String) throws {
      try AtomicFile.write(data, to: folder.appendingPathComponent(end))
    }
    try write(Data((text + "\n").utf8), "\(name).txt")
    try write(Data(markdown.utf8), "\(name).md")
    try write(try encoder.encode(self), "\(name).json")
    try write(Data(html.utf8), "\(name).html")
    let start = name == "report" ? "" : "\(name)-"
    for table in tables {
      let word = table.title.lowercased().split { !$0.isLetter && !$0.isNumber }.first ?? "table"
      let picture = SteeringPicture(table: table)
      try write(Data(picture.presence.utf8), "\(start)\(word)-presence.svg")
      guard let price = picture.price else { continue }
      try write(Data(price.utf8), "\(start)\(word)-distance.svg")
    }
  }
}
