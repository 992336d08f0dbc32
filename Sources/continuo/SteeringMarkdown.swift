// The steering tables as Markdown, for documents: one row per method, means first, then every trait in brackets.

import Foundation
import Reporting

extension SteeringReport {
  /// A heading per table, its columns those that have figures.
  var markdown: String {
    var lines = [heading, ""]
    for table in tables {
      let columns = columns(table).filter { $0.title != "± presence" }
      lines += ["## \(cell(table.title))", "", cell(table.note), ""]
      let traits = table.rows.first?.entries.map(\.trait) ?? []
      if traits.count > 1 {
        lines += ["Means; in brackets \(traits.map(cell).joined(separator: ", ")).", ""]
      }
      lines.append("| method | " + columns.map { header($0.title) }.joined(separator: " | ") + " |")
      lines.append("|---|" + columns.map { _ in "---|" }.joined())
      for row in table.rows {
        let figures = columns.map { column -> String in
          let mean = row.mean(column.value)
          guard mean.isFinite else { return "" }
          var text = shown(mean, column.scale)
          if column.title == "presence %", let error = row.error {
            text += String(format: " ± %.1f", error * 100)
          }
          if column.scale == 100, row.entries.count > 1 {
            let each = row.entries.map { entry in
              column.value(entry).flatMap { $0.isFinite ? String(format: "%.0f", $0 * 100) : nil }
                ?? "–"
            }
            text += " (\(each.joined(separator: ", ")))"
          }
          return text
        }
        lines.append("| \(cell(row.name)) | \(figures.joined(separator: " | ")) |")
      }
      lines.append("")
    }
    if !correlation.isEmpty {
      let figures = correlation.sorted { $0.key < $1.key }.map {
        "\(cell($0.key)) \(String(format: "%.2f", $0.value))"
      }
      lines += [
        "Spearman correlation of the probes' mean reading with the judge's mean logit: "
          + figures.joined(separator: ", ") + ".", "",
      ]
    }
    return lines.joined(separator: "\n")
  }

  private func header(_ title: String) -> String {
    title.hasSuffix(" %") ? title.dropLast(2) + ", %" : title
  }

  /// Shares in per cent, similarities and gains to two places, distances to one.
  private func shown(_ value: Double, _ scale: Double) -> String {
    scale == 100
      ? String(format: "%.1f", value * 100) : String(format: value < 2 ? "%.2f" : "%.1f", value)
  }

  private func cell(_ text: String) -> String {
    printable(text, limit: 2000).replacingOccurrences(of: "|", with: "\\|")
  }
}
