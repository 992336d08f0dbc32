// The results of an evaluation: tables and a few pictures, as text, as JSON, and as one self-contained HTML page.

import Foundation
import Reporting

/// A table of figures.
struct FigureTable: Codable {
  struct Column: Codable {
    var title: String
    /// What a figure is multiplied by when it is shown: 100 for shares.
    var scale = 1.0
    var decimals = 3

    init(_ title: String, scale: Double = 1, decimals: Int = 3) {
      self.title = title
      self.scale = scale
      self.decimals = decimals
    }

    /// A share, 0 … 1, shown in per cent.
    static func share(_ title: String) -> Column { Column(title + " %", scale: 100, decimals: 1) }

    func shown(_ value: Double?) -> String {
      guard let value else { return "–" }
      return String(format: "%.\(decimals)f", value * scale)
    }
  }

  struct Row: Codable {
    var name: String
    /// One finite number per column; nil where there is nothing to say.
    var values: [Double?]

    init(_ name: String, _ values: [Double?]) {
      self.name = name
      self.values = values.map { $0?.isFinite == true ? $0 : nil }
    }
  }

  var title: String
  /// How it was measured, and what is left out.
  var note: String
  var columns: [Column]
  var rows: [Row] = []
}

/// Everything that one evaluation found.
struct EvaluationPage: Codable {
  struct Picture {
    var title: String
    /// A whole SVG without links.
    var svg: String
  }

  var title: String
  /// What was measured on, one sentence each.
  var notes: [String] = []
  var tables: [FigureTable] = []
  /// Not part of the JSON.
  var pictures: [Picture] = []

  private enum CodingKeys: String, CodingKey { case title, notes, tables }

  init(title: String) { self.title = title }

  /// For a terminal.
  var text: String {
    var lines = [title] + notes
    for table in tables {
      lines += ["", table.title]
      if !table.note.isEmpty { lines.append(table.note) }
      let width = max(table.rows.map(\.name.count).max() ?? 0, 8)
      lines.append(pad("", width) + table.columns.map { pad($0.title, 10) }.joined())
      for row in table.rows {
        let shown = zip(table.columns, row.values).map { column, value in
          pad(column.shown(value), max(column.title.count, 10))
        }
        lines.append(pad(row.name, width) + shown.joined())
      }
    }
    return lines.joined(separator: "\n")
  }

  /// One page without scripts or links.
  var html: String {
    var body = "<h1>\(Self.escape(title))</h1>\n"
    body += notes.map { "<p>\(Self.escape($0))</p>\n" }.joined()
    for table in tables {
      body +=
        "<h2>\(Self.escape(table.title))</h2>\n<p>\(Self.escape(table.note))</p>\n<table><tr><th></th>"
      body += table.columns.map { "<th>\(Self.escape($0.title))</th>" }.joined() + "</tr>\n"
      for row in table.rows {
        body += "<tr><td>\(Self.escape(row.name))</td>"
        body += zip(table.columns, row.values).map { "<td>\($0.shown($1))</td>" }.joined()
        body += "</tr>\n"
      }
      body += "</table>\n"
    }
    for picture in pictures {
      body += "<h3>\(Self.escape(picture.title))</h3>\n\(picture.svg)\n"
    }
    return """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><title>\(Self.escape(title))</title><style>
      body { font-family: sans-serif; margin: 2em; max-width: 70em; color: #222 }
      table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .25em .8em; border-bottom: 1px solid #ddd; text-align: right }
      td:first-child, th:first-child { text-align: left } svg { max-width: 100%; height: auto }
      </style></head><body>
      \(body)</body></html>

      """
  }

  private func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(width - text.count, 0) + 2)
  }

  private static func escape(_ value: String) -> String {
    printable(value, limit: 2000).replacingOccurrences(of: "&", with: "&amp;")
      .replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;")
  }

  /// The JSON of files: keys sorted, missing figures null, numbers that are none as words.
  var data: Data {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
      return try encoder.encode(self)
    }
  }

  /// Writes report.txt, report.json and report.html.
  func write(to folder: URL) throws {
    try AtomicFile.write(Data((text + "\n").utf8), to: folder.appendingPathComponent("report.txt"))
    try AtomicFile.write(try data, to: folder.appendingPathComponent("report.json"))
    try AtomicFile.write(Data(html.utf8), to: folder.appendingPathComponent("report.html"))
  }
}

/// Finished parts of an evaluation, kept in a folder, so that an interrupted one goes on.
struct EvaluationStore {
  /// nil keeps nothing.
  var folder: URL?
  /// Everything that all parts depend on: the model's fingerprint and the options.
  var key: String

  /// What is kept under `name` for the same key, or what `make` gives, which is then kept.
  func value<Value: Codable>(_ name: String, _ make: () throws -> Value) throws -> Value {
    guard let folder else { return try make() }
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in "1 \(name) \(key)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    let place = folder.appendingPathComponent("cells/\(name)-\(String(hash, radix: 16)).json")
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    if let data = try? Data(contentsOf: place),
      let known = try? decoder.decode(Value.self, from: data)
    {
      return known
    }
    let made = try make()
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    try? FileManager.default.createDirectory(
      at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
    try AtomicFile.write(try encoder.encode(made), to: place)
    return made
  }
}

/// The mean of the numbers among `values`; NaN when there is none.
func meanOfFinite(_ values: [Double]) -> Double {
  let finite = values.filter(\.isFinite)
  return finite.isEmpty ? .nan : finite.reduce(0, +) / Double(finite.count)
}
