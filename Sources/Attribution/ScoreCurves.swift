// Scores over ranked tracks as an SVG figure, after the poster's figure 1: min-max normalised, and
// softmax normalised with logarithmic axes.

import Foundation

/// One figure with a curve per method.
package struct ScoreCurves {
  package enum Scale: Sendable { case minMax, softmax }

  /// A method's curve: best first, mean and deviation over the queries.
  package struct Curve {
    package let name: String
    package let mean: [Double]
    package let deviation: [Double]
  }

  private let curves: [Curve]
  private let scale: Scale

  /// Curves of single rankings.
  package init(_ rankings: [Ranking], _ scale: Scale) {
    self.init(groups: rankings.map { ($0.method, [$0]) }, scale)
  }

  /// Curves of several queries per method: mean and deviation at every rank.
  package init(groups: [(name: String, rankings: [Ranking])], _ scale: Scale) {
    self.scale = scale
    curves = groups.compactMap { name, rankings in
      let rows = rankings.map { normalised($0.tracks.map(\.score), scale) }
      guard let length = rows.map(\.count).min(), length > 1 else { return nil }
      var mean: [Double] = []
      var deviation: [Double] = []
      for place in 0..<length {
        let values = rows.map { $0[place] }
        let average = values.reduce(0, +) / Double(values.count)
        mean.append(average)
        deviation.append(
          (values.reduce(0) { $0 + ($1 - average) * ($1 - average) } / Double(values.count))
            .squareRoot())
      }
      return Curve(name: name, mean: mean, deviation: deviation)
    }
  }

  private static let colours = ["#0b6e63", "#c2571a", "#5b4bb5", "#8a7a00", "#b0306a", "#3f7fbf"]
  private let width = 420.0
  private var height: Double { top + 214 }
  private let left = 46.0
  private let bottom = 34.0
  /// Above the plot: a line per curve, and the name of the vertical axis.
  private var top: Double { 26 + 15 * Double(curves.count) }
  private let right = 12.0

  /// The figure.
  package var svg: String {
    let longest = curves.map(\.mean.count).max() ?? 1
    let isLogarithmic = scale == .softmax
    let smallest = curves.flatMap(\.mean).filter { $0 > 0 }.min() ?? 1e-6
    let largest = curves.flatMap(\.mean).max() ?? 1
    let low = isLogarithmic ? floor(log10(smallest)) : 0
    let high = isLogarithmic ? max(ceil(log10(max(largest, smallest))), low + 1) : 1
    func x(_ place: Int) -> Double {
      left + (width - left - right) * log(Double(place + 1)) / max(log(Double(longest)), 1e-9)
    }
    func y(_ value: Double) -> Double {
      let level = isLogarithmic ? log10(max(value, pow(10, low))) : value
      return height - bottom - (height - bottom - top) * (min(max(level, low), high) - low)
        / (high - low)
    }
    var parts: [String] = []
    for decade in 0...Int(log10(Double(max(longest, 1)))) {
      let place = x(Int(pow(10, Double(decade))) - 1)
      parts.append(
        "<path d=\"M\(fixed(place, 1)) \(top)V\(height - bottom)\" stroke=\"#8884\"/>"
          + "<text x=\"\(fixed(place, 1))\" y=\"\(height - bottom + 15)\" text-anchor=\"middle\">\(Int(pow(10, Double(decade))))</text>"
      )
    }
    let levels =
      isLogarithmic
      ? Array(stride(from: low, through: high, by: max(1, ((high - low) / 5).rounded())))
      : [0, 0.25, 0.5, 0.75, 1]
    for level in levels {
      let value = isLogarithmic ? pow(10, level) : level
      parts.append(
        "<path d=\"M\(left) \(fixed(y(value), 1))H\(width - right)\" stroke=\"#8884\"/>"
          + "<text x=\"\(left - 5)\" y=\"\(fixed(y(value) + 4, 1))\" text-anchor=\"end\">\(isLogarithmic ? "1e\(Int(level))" : figure(level))</text>"
      )
    }
    for (index, curve) in curves.enumerated() {
      let colour = Self.colours[index % Self.colours.count]
      let places = sampled(curve.mean.count)
      if curve.deviation.contains(where: { $0 > 0 }) {
        let above = places.map {
          "\(fixed(x($0), 1)),\(fixed(y(curve.mean[$0] + curve.deviation[$0]), 1))"
        }
        let below = places.reversed().map {
          "\(fixed(x($0), 1)),\(fixed(y(curve.mean[$0] - curve.deviation[$0]), 1))"
        }
        parts.append(
          "<polygon points=\"\((above + below).joined(separator: " "))\" fill=\"\(colour)\" fill-opacity=\"0.15\"/>"
        )
      }
      let points = places.map { "\(fixed(x($0), 1)),\(fixed(y(curve.mean[$0]), 1))" }
      parts.append(
        "<polyline points=\"\(points.joined(separator: " "))\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.8\"/>"
      )
      let line = 12 + 15 * Double(index)
      parts.append(
        "<path d=\"M\(left) \(line - 4)h16\" stroke=\"\(colour)\" stroke-width=\"2\"/>"
          + "<text x=\"\(left + 22)\" y=\"\(line)\">\(escaped(curve.name))</text>")
    }
    let label = isLogarithmic ? "softmax score" : "score, 0 … 1"
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(height)" role="img" aria-label="\(label) over rank">\
      \(parts.joined())<text x="\(width - right)" y="\(height - 4)" text-anchor="end">rank</text>\
      <text x="4" y="\(top - 9)">\(label)</text></svg>
      """
  }

  /// At most 200 places, evenly spaced in the logarithm.
  private func sampled(_ count: Int) -> [Int] {
    var places: [Int] = []
    for step in 0...200 {
      let place = min(Int(pow(Double(count), Double(step) / 200).rounded()) - 1, count - 1)
      if places.last != place { places.append(place) }
    }
    return places
  }
}

/// Scores (best first) scaled to 0 … 1, or as softmax of the standardised scores.
func normalised(_ scores: [Double], _ scale: ScoreCurves.Scale) -> [Double] {
  guard let largest = scores.max(), let smallest = scores.min(), largest > smallest else {
    return scores.map { _ in scale == .minMax ? 0 : 1 / Double(max(scores.count, 1)) }
  }
  switch scale {
  case .minMax: return scores.map { ($0 - smallest) / (largest - smallest) }
  case .softmax:
    let mean = scores.reduce(0, +) / Double(scores.count)
    let deviation =
      (scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(scores.count)).squareRoot()
    let powers = scores.map { exp(($0 - largest) / deviation) }
    let total = powers.reduce(0, +)
    return powers.map { $0 / total }
  }
}
