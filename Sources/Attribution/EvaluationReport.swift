// The study's results as text, as JSON and as one self-contained HTML page. Nothing is loaded from elsewhere.

package import Foundation
import Reporting

extension EvaluationResult {
  /// A table: its title, heads and rows.
  private struct Table {
    let title: String
    let heads: [String]
    let rows: [[String]]
  }

  /// The tables, laid out like the poster's.
  private var tables: [Table] {
    func mark(_ isOn: Bool) -> String { isOn ? "✓" : " " }
    func percent(_ share: Double, _ digits: Int = 0) -> String { fixed(100 * share, digits) + " %" }
    var found = [
      Table(
        title: "Tracks of the catalogue, unlearned: R is the mean rank of the track itself"
          + (quality.map { "; FD is \(fixed($0, 1)) before" } ?? "")
          + (absent.isEmpty
            ? ""
            : "; the model has no tensors for \(absent.map(\.rawValue).joined(separator: ", "))"),
        heads: [
          "target layers", "rise", "damping", "M_U", "M_L", "R", "first", "R against the others",
          "sim top 10", "sim bottom 10", "FD", "held-out loss", "step norm", "same leader",
        ],
        rows: grid.map { row in
          [
            row.setting.layers.rawValue, "\(row.setting.rise)", "\(row.setting.damping)",
            mark(row.setting.masksPiece), mark(row.setting.masksTracks), fixed(row.meanRank, 1),
            percent(row.firstShare), row.contrastRank.map { fixed($0, 1) } ?? "–",
            fixed(row.topSimilarity, 2), fixed(row.bottomSimilarity, 2),
            row.quality.map { fixed($0, 1) } ?? "–",
            row.heldOutChange.map { percent($0, 3) } ?? "–",
            row.stepNorm.map { String(format: "%.1e", $0) } ?? "–",
            "\(row.commonest) of \(row.queries)",
          ]
        })
    ]
    for (title, rows) in [
      ("Relatives and twins of the unlearned track", relatives),
      ("The track that a generated piece continues", sources),
    ] where !rows.isEmpty {
      found.append(
        Table(
          title: title,
          heads: ["method", "kind", "queries", "median rank", "first two", "first percent"],
          rows: rows.map {
            [
              $0.method, $0.kind, "\($0.queries)", fixed($0.medianRank, 0), percent($0.topTwo),
              percent($0.topPercent),
            ]
          }))
    }
    if !correlations.isEmpty {
      found.append(
        Table(
          title: "Agreement of methods: mean of Spearman’s rank correlation",
          heads: ["methods", "queries", "correlation"],
          rows: correlations.map {
            [$0.methods.joined(separator: " and "), "\($0.queries)", fixed($0.mean, 2)]
          }))
    }
    return found
  }

  private var heading: String { "\(family) \(model), \(tracks) tracks of \(catalogue)" }

  /// The tables as text.
  package var text: String {
    var lines = [heading]
    for table in tables {
      lines += ["", table.title, "", "| \(table.heads.joined(separator: " | ")) |"]
      lines.append("|" + table.heads.map { _ in "---|" }.joined())
      lines += table.rows.map { "| \($0.joined(separator: " | ")) |" }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The page.
  /// - Parameter curves: figures, as SVG.
  package func html(curves: [String]) -> String {
    let parts = tables.map { table in
      let heads = table.heads.map { "<th>\(escaped($0))</th>" }.joined()
      let rows = table.rows.map { row in
        "<tr>" + row.map { "<td>\(escaped($0))</td>" }.joined() + "</tr>"
      }
      return """
        <h2>\(escaped(table.title))</h2><div class="scroll"><table><thead><tr>\(heads)</tr></thead>\
        <tbody>\(rows.joined())</tbody></table></div>
        """
    }
    let figures =
      curves.isEmpty
      ? "" : "<h2>Scores of generated pieces</h2><div class=\"pair\">\(curves.joined())</div>"
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8"><title>How far attributions can be believed</title>
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <style>\(RankingReport.style)</style></head><body><main>
      <h1>How far attributions can be believed</h1>
      <p class="question">\(escaped(heading)); model \(modelFingerprint.prefix(16))…; \(fixed(seconds, 0)) s in \
      the last run.</p>
      \(parts.joined())\(figures)
      </main></body></html>

      """
  }

  /// Writes evaluation.json, evaluation.md, evaluation.html and, with curves, their figures.
  /// - Throws: `OutputError`.
  package func write(to folder: URL, curves: [(name: String, rankings: [Ranking])]) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(
      try encoder.encode(self), to: folder.appendingPathComponent("evaluation.json"))
    try AtomicFile.write(Data(text.utf8), to: folder.appendingPathComponent("evaluation.md"))
    var figures: [String] = []
    if !curves.isEmpty {
      for (scale, name) in [(ScoreCurves.Scale.minMax, "curves"), (.softmax, "curves-softmax")] {
        let figure = ScoreCurves(groups: curves, scale).svg
        figures.append(figure)
        try AtomicFile.write(
          Data(figure.utf8), to: folder.appendingPathComponent(name + ".svg"))
      }
    }
    try AtomicFile.write(
      Data(html(curves: figures).utf8), to: folder.appendingPathComponent("evaluation.html"))
  }
}
