// The report of an attribution as one self-contained HTML page: ranked tracks, score curves, the
// correlation between methods, the checks, all settings. No scripts, nothing loaded from elsewhere.

package import Foundation
import Models
import Reporting

/// Makes the page of one piece's rankings.
package struct RankingReport {
  private let rankings: [Ranking]
  /// Tracks shown in the tables.
  private let shown: Int

  /// - Parameter rankings: of one piece, the main method first.
  package init(_ rankings: [Ranking], shown: Int = 50) {
    precondition(!rankings.isEmpty, "a report needs a ranking")
    self.rankings = rankings
    self.shown = shown
  }

  /// Writes every ranking into `folder` (the first at its top, the others in folders of their own) and
  /// `report.html` beside them.
  /// - Throws: `OutputError`.
  package func write(to folder: URL) throws {
    try rankings[0].write(to: folder)
    for ranking in rankings.dropFirst() {
      let name = ranking.method.replacingOccurrences(of: " ", with: "-")
      try ranking.write(to: folder.appendingPathComponent(name))
    }
    try AtomicFile.write(Data(html.utf8), to: folder.appendingPathComponent("report.html"))
  }

  /// The page.
  package var html: String {
    let main = rankings[0]
    let title = main.kind == "attribution" ? "What this piece owes" : "What this piece resembles"
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8"><title>\(escaped(title)): \(escaped(main.pieceName ?? main.piece))</title>
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <style>\(Self.style)</style></head><body><main>
      <p class="kind \(main.kind)">\(main.kind)</p>
      <h1>\(escaped(title))</h1>
      <p class="question">\(escaped(main.question))</p>
      \(warning(main))
      <dl class="facts">\(facts(main))</dl>
      <h2>Tracks</h2>\(table(main))
      <h2>Checks</h2>\(checks(main))
      <h2>Score curves</h2>
      <p>Scores of all methods over ranked tracks: scaled to 0 … 1, and as a softmax of standardised scores.</p>
      <div class="pair">\(ScoreCurves(rankings, .minMax).svg)\(ScoreCurves(rankings, .softmax).svg)</div>
      <h2>Correlation between methods</h2>
      <p>Spearman’s rank correlation over the tracks that both methods scored.</p>\(correlations)
      \(others)
      <h2>Settings</h2>\(settings(main))
      </main></body></html>

      """
  }

  static let style = """
    :root{--ink:#1d2327;--soft:#5b666e;--line:#d8dee2;--accent:#0b6e63;--warn:#9a3b12;--bg:#fff}
    @media(prefers-color-scheme:dark){:root{--ink:#e7ecef;--soft:#9aa7af;--line:#37424a;--accent:#4cc2b3;--warn:#f0a073;--bg:#14191c}}
    body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--bg);margin:0}
    main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 4rem}
    h1{font-size:1.7rem;line-height:1.2;margin:.2rem 0 .6rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
    .kind{display:inline-block;margin:0;padding:.1rem .6rem;border:1px solid currentColor;border-radius:1rem;font-size:.8rem;color:var(--accent)}
    .kind.similarity,.warning{color:var(--warn)}.question{font-size:1.05rem;max-width:45rem}
    table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
    th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
    th{font-weight:600;color:var(--soft);font-size:.85rem}td.n,th.n{text-align:right}
    td.bar{width:8rem;min-width:3rem}td.n,th.n{white-space:nowrap}td.bar div{height:.65rem;background:var(--accent);margin-top:.35rem}
    .scroll{overflow-x:auto}dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:1rem 0}
    dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}tr.own td{font-weight:600}
    .pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem}
    svg{max-width:100%;height:auto}svg text{fill:var(--soft);font:11px system-ui,sans-serif}
    """

  private func warning(_ ranking: Ranking) -> String {
    guard ranking.kind != "attribution", ranking.tracks.contains(where: { $0.after != nil }) else {
      return ""
    }
    return """
      <p class="warning">This is similarity as this model hears it, not attribution: unlearning on one model says \
      nothing about another’s training data.</p>
      """
  }

  private func facts(_ ranking: Ranking) -> String {
    var facts = [
      ("piece", ranking.pieceName.map { "\($0) (\(ranking.piece))" } ?? ranking.piece),
      ("model", "\(ranking.model) (\(ranking.modelFingerprint.prefix(16))…)"),
      ("catalogue", "\(ranking.catalogue) (\(ranking.catalogueFingerprint.prefix(16))…)"),
      ("tracks scored", "\(ranking.tracks.count)"), ("method", ranking.method),
      ("a score is", ranking.meaning ?? "larger where the piece owes more to the track"),
      ("time spent", "\(fixed(ranking.seconds, 1)) s"),
    ]
    if let shard = ranking.shard, shard.count == 2 {
      facts.append(("part", "\(shard[0]) of \(shard[1])"))
    }
    return facts.map { "<dt>\($0.0)</dt><dd>\(escaped($0.1))</dd>" }.joined()
  }

  private func table(_ ranking: Ranking) -> String {
    let top = max(ranking.tracks.first?.score ?? 0, .leastNormalMagnitude)
    let score = Column(ranking.tracks.map(\.score))
    let plain = ranking.tracks.first?.plain.map { _ in Column(ranking.tracks.compactMap(\.plain)) }
    let rows = ranking.tracks.prefix(shown).enumerated().map { place, entry in
      let track = entry.track
      let share = max(0, min(1, entry.score / top))
      let isOwn = track.id == ranking.piece
      return """
        <tr\(isOwn ? " class=\"own\"" : "")><td class="n">\(place + 1)</td>\
        <td>\(escaped(track.title.isEmpty ? track.id : track.title))\(isOwn ? " (the piece itself)" : "")</td>\
        <td>\(escaped(track.artist))</td><td>\(escaped(track.licence))</td>\
        <td class="n">\(score.written(entry.score))</td><td class="bar"><div style="width:\(fixed(100 * share, 1))%"></div></td>\
        \(plain.map { "<td class=\"n\">\($0.written(entry.plain ?? .nan))</td>" } ?? "")</tr>
        """
    }
    let more = ranking.tracks.count - shown
    return """
      <div class="scroll"><table><thead><tr><th class="n">rank</th><th>title</th><th>maker</th><th>licence</th>\
      <th class="n">score\(score.unit)</th><th></th>\(plain.map { "<th class=\"n\">plain\($0.unit)</th>" } ?? "")</tr></thead><tbody>\(rows.joined())</tbody></table></div>
      \(more > 0 ? "<p>and \(more) more in ranking.csv</p>" : "")
      """
  }

  /// Numbers of one column: one power of ten for all, so that they can be compared at a glance.
  private struct Column {
    let power: Int
    private var isScaled: Bool { !(-2...3).contains(power) }
    var unit: String { isScaled ? " (10<sup>\(power)</sup>)" : "" }

    init(_ values: [Double]) {
      let largest = values.reduce(0) { max($0, abs($1)) }
      power = largest > 0 ? Int(log10(largest).rounded(.down)) : 0
    }

    func written(_ value: Double) -> String {
      fixed(isScaled ? value / pow(10, Double(power)) : value, isScaled ? 2 : 4)
    }
  }

  private func checks(_ ranking: Ranking) -> String {
    let c = ranking.checks
    var rows: [(String, String)] = []
    if let rank = c.ownRank {
      rows.append(
        ("rank of the piece itself (R; 1 is perfect)", "\(rank) of \(ranking.tracks.count)"))
    }
    if let rank = c.plainRank {
      rows.append(("the same by the plain scores", "\(rank) of \(ranking.tracks.count)"))
    }
    if let before = c.ownBefore, let after = c.ownAfter {
      rows.append(("own loss before and after unlearning", "\(figure(before)) → \(figure(after))"))
      if let median = c.medianRise {
        rows.append(("median rise of all tracks", figure(median)))
        if median != 0 {
          rows.append(("own rise over median rise", fixed((after - before) / abs(median), 1)))
        }
      }
    }
    if let before = c.heldOutBefore, let after = c.heldOutAfter {
      rows.append(
        (
          "loss of held-out tracks (collateral)",
          "\(figure(before)) → \(figure(after)) (\(fixed(100 * (after - before) / before, 3)) %)"
        ))
    }
    if let norm = c.stepNorm { rows.append(("‖Θ − Θ0‖ / ‖Θ0‖", figure(norm))) }
    if let rate = c.learningRate { rows.append(("learning rate η", figure(rate))) }
    if rows.isEmpty { return "<p>This method has no checks of its own.</p>" }
    return definition(rows)
  }

  private func settings(_ ranking: Ranking) -> String {
    definition(ranking.settings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
  }

  private func definition(_ rows: [(String, String)]) -> String {
    "<table><tbody>"
      + rows.map { "<tr><td>\(escaped($0.0))</td><td>\(escaped($0.1))</td></tr>" }.joined()
      + "</tbody></table>"
  }

  private var correlations: String {
    guard rankings.count > 1 else { return "<p>Only one method was run.</p>" }
    let head = rankings.map { "<th class=\"n\">\(escaped($0.method))</th>" }.joined()
    let rows = rankings.map { a in
      let cells = rankings.map { b in
        "<td class=\"n\">\(correlation(a, b).map { fixed($0, 2) } ?? "–")</td>"
      }
      return "<tr><td>\(escaped(a.method))</td>\(cells.joined())</tr>"
    }
    return """
      <div class="scroll"><table><thead><tr><th></th>\(head)</tr></thead><tbody>\(rows.joined())</tbody></table></div>
      """
  }

  private var others: String {
    rankings.dropFirst().map { ranking in
      """
      <h2>For comparison: \(escaped(ranking.method))</h2><p>\(escaped(ranking.question))</p>
      \(RankingReport([ranking], shown: 10).table(ranking))
      """
    }.joined()
  }
}

/// Spearman's rank correlation of two rankings over the tracks in both; nil below three tracks or when
/// one of them does not tell its tracks apart.
package func correlation(_ a: Ranking, _ b: Ranking) -> Double? {
  var other: [String: Double] = [:]
  for entry in b.tracks { other[entry.track.id] = entry.score }
  let pairs = a.tracks.compactMap { entry in other[entry.track.id].map { (entry.score, $0) } }
  return rankCorrelation(pairs.map(\.0), pairs.map(\.1))
}

/// Text safe inside HTML.
func escaped(_ text: String) -> String {
  printable(text, limit: 2000).replacingOccurrences(of: "&", with: "&amp;")
    .replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;")
    .replacingOccurrences(of: "\"", with: "&quot;")
}

/// A number with `digits` decimals.
func fixed(_ value: Double, _ digits: Int) -> String {
  String(format: "%.\(digits)f", value)
}

/// A number with four significant digits.
func figure(_ value: Double) -> String { String(format: "%.4g", value) }
