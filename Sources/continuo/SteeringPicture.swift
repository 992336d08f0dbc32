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

  /// Presence against distance (logarithmic), means over the traits, doses of one method joined by a line; nil without
  /// distances.
  var price: String? {
    struct Point {
      var name: String
      var presence: Double
      var distance: Double
      var x = 0.0
      var y = 0.0
    }
    var points = table.rows.map {
      Point(name: $0.name, presence: $0.mean(\.presence), distance: $0.mean(\.distance))
    }.filter { $0.presence.isFinite && $0.distance.isFinite && $0.distance > 0 }
    guard points.count > 1, let most = points.map(\.distance).max(),
      let least = points.map(\.distance).min()
    else { return nil }
    let (left, top, width, height) = (56.0, 48.0, 620.0, 380.0)
    let (low, high) = (log(least / 1.3), log(most * 1.3))
    func y(_ distance: Double) -> Double { top + height * (high - log(distance)) / (high - low) }
    for index in points.indices {
      points[index].x = left + points[index].presence * width
      points[index].y = y(points[index].distance)
    }
    var body = heading(
      table.title, left: 12, "presence against Fréchet distance, means of the traits")
    for share in [0, 0.25, 0.5, 0.75, 1] {
      body += rule(left + share * width, top, left + share * width, top + height, "#ddd")
      body += label(
        "\(Int(share * 100)) %", left + share * width, top + height + 15, anchor: "middle")
    }
    for tick in Self.ticks(from: exp(low), to: exp(high)) {
      body += rule(left, y(tick), left + width, y(tick), "#ddd")
      body += label(text(tick), left - 6, y(tick) + 4, anchor: "end")
    }
    body += label("presence", left + width / 2, top + height + 32, anchor: "middle")
    for index in Self.families.indices {
      for isOther in [false, true] {
        let doses = points.filter {
          family($0.name) == index && $0.name.hasSuffix("mean difference") == isOther
        }.sorted { $0.presence < $1.presence }
        guard doses.count > 1 else { continue }
        let line = doses.map { "\(text($0.x)),\(text($0.y))" }.joined(separator: " ")
        body += """
          <polyline points="\(line)" fill="none" stroke="\(Self.colours[index])"\(
            isOther ? " stroke-dasharray=\"4 3\"" : "")/>

          """
      }
    }
    let names = LabelPlacement(
      frame: (left, top, left + width, top + height), marks: points.map { ($0.x, $0.y) }
    ).places(for: points.map(\.name))
    for (point, place) in zip(points, names) {
      if place.isFar { body += rule(point.x, point.y, place.nearX, place.nearY, "#999") }
      body += mark(family(point.name), point.x, point.y)
      body += label(point.name, place.x, place.baseline)
    }
    return svg(width: left + width + 24, height: top + height + 44, body)
  }

  /// Beginnings of names whose doses are joined.
  private static let families = ["iti α", "smitin α"]

  private func family(_ name: String) -> Int {
    name.contains("text") ? 2 : Self.families.firstIndex { name.hasPrefix($0) } ?? 2
  }

  /// 1, 2, 5, 10, 20, … between two numbers above 0.
  private static func ticks(from low: Double, to high: Double) -> [Double] {
    (-3...6).flatMap { power in [1, 2, 5].map { $0 * pow(10, Double(power)) } }
      .filter { $0 >= low && $0 <= high }
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
