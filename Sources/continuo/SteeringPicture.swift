// Pictures of the steering tables: presence of each trait by method, and what presence costs in distance.
//
// One self-contained SVG each, in colours that can be told apart by everybody (Okabe and Ito), with shapes beside them.

import Foundation
import Reporting

/// Draws one table.
struct SteeringPicture {
  let table: SteeringReport.Table

  private static let colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]

  /// Presence by the judge, a row per method, a dot per trait and a bar for their mean.
  var presence: String {
    let traits = table.rows.first?.entries.map(\.trait) ?? []
    let left = 20 + 6.6 * Double(table.rows.map(\.name.count).max() ?? 0)
    let (width, line, top) = (420.0, 24.0, 58.0)
    let bottom = top + line * Double(table.rows.count)
    func x(_ share: Double) -> Double { left + share * width }
    var body = heading(table.title, left: 12, "presence by the judge, % of the seconds")
    for (index, trait) in traits.enumerated() {
      body += mark(index, left + Double(index) * 90, 46)
      body += label(trait, left + Double(index) * 90 + 9, 50)
    }
    for share in [0, 0.25, 0.5, 0.75, 1] {
      body += rule(x(share), top, x(share), bottom, "#ddd")
      body += label("\(Int(share * 100))", x(share), bottom + 15, anchor: "middle")
    }
    for (index, row) in table.rows.enumerated() {
      let y = top + line * (Double(index) + 0.5)
      body += label(row.name, left - 8, y + 4, anchor: "end")
      let mean = row.mean(\.presence)
      if mean.isFinite {
        body += """
          <rect x="\(text(left))" y="\(text(y - 8))" width="\(text(mean * width))" height="16" fill="#e4e4e4">\
          <title>mean \(text(mean * 100)) %</title></rect>

          """
      }
      for (place, entry) in row.entries.enumerated() where entry.presence.isFinite {
        body += mark(place, x(entry.presence), y)
      }
    }
    return svg(width: left + width + 24, height: bottom + 26, body)
  }

  /// Presence against distance, means over the traits, doses of one method joined by a line; nil without distances.
  var price: String? {
    struct Point {
      var name: String
      var presence: Double
      var distance: Double
    }
    let points = table.rows.map {
      Point(name: $0.name, presence: $0.mean(\.presence), distance: $0.mean(\.distance))
    }.filter { $0.presence.isFinite && $0.distance.isFinite }
    guard points.count > 1, let most = points.map(\.distance).max(), most > 0 else { return nil }
    let (left, top, width, height) = (56.0, 48.0, 560.0, 320.0)
    func x(_ point: Point) -> Double { left + point.presence * width }
    func y(_ distance: Double) -> Double { top + height * (1 - distance / (1.1 * most)) }
    var body = heading(
      table.title, left: 12, "presence against Fréchet distance, means of the traits")
    for share in [0, 0.25, 0.5, 0.75, 1] {
      body += rule(left + share * width, top, left + share * width, top + height, "#ddd")
      body += label(
        "\(Int(share * 100)) %", left + share * width, top + height + 15, anchor: "middle")
    }
    for part in [0, 0.25, 0.5, 0.75, 1] {
      body += rule(left, y(part * most), left + width, y(part * most), "#ddd")
      body += label(text(part * most), left - 6, y(part * most) + 4, anchor: "end")
    }
    body += label("presence", left + width / 2, top + height + 32, anchor: "middle")
    for (index, family) in ["iti α", "smitin α"].enumerated() {
      let doses = points.filter { $0.name.hasPrefix(family) && !$0.name.hasSuffix("text") }
        .sorted { $0.presence < $1.presence }
      let line = doses.map { "\(text(x($0))),\(text(y($0.distance)))" }.joined(separator: " ")
      body += """
        <polyline points="\(line)" fill="none" stroke="\(Self.colours[index])"/>

        """
    }
    for point in points {
      let family =
        point.name.hasPrefix("iti α")
        ? 0 : point.name.hasPrefix("smitin") && !point.name.hasSuffix("text") ? 1 : 2
      body += mark(family, x(point), y(point.distance))
      let isRight = point.presence > 0.75
      body += label(
        point.name, x(point) + (isRight ? -8 : 8), y(point.distance) - 6,
        anchor: isRight ? "end" : "start")
    }
    return svg(width: left + width + 24, height: top + height + 44, body)
  }

  // MARK: parts

  private func mark(_ kind: Int, _ x: Double, _ y: Double) -> String {
    let colour = Self.colours[kind % Self.colours.count]
    switch kind % 4 {
    case 0:
      return "<circle cx=\"\(text(x))\" cy=\"\(text(y))\" r=\"4.5\" fill=\"\(colour)\"/>\n"
    case 1:
      return """
        <rect x="\(text(x - 4))" y="\(text(y - 4))" width="8" height="8" fill="\(colour)"/>

        """
    case 2:
      return """
        <path d="M\(text(x)) \(text(y - 5.5)) l5.5 9.5 h-11 z" fill="\(colour)"/>

        """
    default:
      return """
        <path d="M\(text(x)) \(text(y - 6)) l6 6 l-6 6 l-6 -6 z" fill="\(colour)"/>

        """
    }
  }

  private func heading(_ title: String, left: Double, _ what: String) -> String {
    """
    <text x="\(text(left))" y="20" font-size="14" font-weight="bold">\(escape(title))</text>
    <text x="\(text(left))" y="36">\(escape(what))</text>

    """
  }

  private func label(_ words: String, _ x: Double, _ y: Double, anchor: String = "start") -> String
  {
    """
    <text x="\(text(x))" y="\(text(y))" text-anchor="\(anchor)">\(escape(words))</text>

    """
  }

  private func rule(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ colour: String)
    -> String
  {
    """
    <line x1="\(text(x1))" y1="\(text(y1))" x2="\(text(x2))" y2="\(text(y2))" stroke="\(colour)"/>

    """
  }

  private func svg(width: Double, height: Double, _ body: String) -> String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(text(width)) \(text(height))" \
    width="\(text(width))" height="\(text(height))" font-family="sans-serif" font-size="11" fill="#222">
    <rect width="100%" height="100%" fill="#fff"/>
    \(body)</svg>

    """
  }

  private func text(_ value: Double) -> String { String(format: "%.4g", value) }

  private func escape(_ value: String) -> String {
    printable(value, limit: 200).replacingOccurrences(of: "&", with: "&amp;")
      .replacingOccurrences(of: "<", with: "&lt;")
  }
}
