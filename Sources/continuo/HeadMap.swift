// A picture of what each head knows: layers × heads, with a histogram beside it. One self-contained SVG.
//
// Source: the figures of the paper's section 2.2 and appendix.

import Foundation
import Reporting

/// One map of values per head.
struct HeadMap {
  var title: String
  /// What a value is: "held-out accuracy".
  var unit: String
  var layers: Int
  var heads: Int
  /// (L, H)
  var values: [Float]
  /// Value of guessing, the lower end of the colours.
  var floor: Float = 0.5

  /// The pictures of several maps beneath each other.
  static func svg(_ maps: [HeadMap]) -> String {
    let cell = 22.0
    let left = 56.0
    let widest = Double(maps.map(\.heads).max() ?? 1) * cell
    let histogramLeft = left + widest + 96
    let width = histogramLeft + 300
    var body = ""
    var top = 16.0
    for map in maps {
      let height = max(Double(map.layers) * cell, 160)
      body += map.draw(
        top: top, left: left, cell: cell, histogramLeft: histogramLeft, height: height)
      top += height + 84
    }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(text(width)) \(text(top))" \
      width="\(text(width))" height="\(text(top))" font-family="sans-serif" font-size="11" fill="#222">
      <rect width="100%" height="100%" fill="#fff"/>
      \(body)</svg>

      """
  }

  private func draw(
    top: Double, left: Double, cell: Double, histogramLeft: Double, height: Double
  ) -> String {
    let low = min(floor, values.min() ?? 0)
    let high = max(values.max() ?? 1, low + 1e-6)
    let best = values.indices.max { values[$0] < values[$1] } ?? 0
    let gridTop = top + 28
    var out = """
      <text x="\(text(left))" y="\(text(top + 12))" font-size="14" font-weight="bold">\(escape(title))</text>

      """
    for layer in 0..<layers {
      // The first layer is at the bottom, as in the paper.
      let y = gridTop + Double(layers - 1 - layer) * cell
      if layers <= 24 || layer % 4 == 0 {
        out += """
          <text x="\(text(left - 6))" y="\(text(y + cell * 0.7))" text-anchor="end">\(layer + 1)</text>

          """
      }
      for head in 0..<heads {
        let index = layer * heads + head
        let share = Double((values[index] - low) / (high - low))
        let border = index == best ? " stroke=\"#d00\" stroke-width=\"2\"" : ""
        out += """
          <rect x="\(text(left + Double(head) * cell))" y="\(text(y))" width="\(text(cell - 1))" \
          height="\(text(cell - 1))" fill="\(colour(share))"\(border)><title>layer \(layer + 1), head \
          \(head + 1): \(percent(values[index]))</title></rect>

          """
      }
    }
    let bottom = gridTop + Double(layers) * cell
    for head in 0..<heads where heads <= 24 || head % 4 == 0 {
      out += """
        <text x="\(text(left + (Double(head) + 0.5) * cell))" y="\(text(bottom + 14))" \
        text-anchor="middle">\(head + 1)</text>

        """
    }
    out += """
      <text x="\(text(left + Double(heads) * cell / 2))" y="\(text(bottom + 30))" \
      text-anchor="middle">head</text>
      <text transform="translate(\(text(left - 34)) \(text((gridTop + bottom) / 2))) rotate(-90)" \
      text-anchor="middle">layer</text>

      """
    // The scale of colours.
    let scaleLeft = histogramLeft - 72
    for index in 0..<32 {
      let share = Double(index) / 31
      out += """
        <rect x="\(text(scaleLeft))" y="\(text(gridTop + 128 - share * 128))" width="12" height="5" \
        fill="\(colour(share))"/>

        """
    }
    out += """
      <text x="\(text(scaleLeft + 16))" y="\(text(gridTop + 8))">\(percent(high))</text>
      <text x="\(text(scaleLeft + 16))" y="\(text(gridTop + 133))">\(percent(low))</text>

      """
    return out + histogram(left: histogramLeft, top: gridTop, low: low, high: high, best: best)
  }

  private func histogram(left: Double, top: Double, low: Float, high: Float, best: Int) -> String {
    let bins = 20
    var counts = [Int](repeating: 0, count: bins)
    for value in values {
      let place = Int((value - low) / (high - low) * Float(bins))
      counts[min(max(place, 0), bins - 1)] += 1
    }
    let most = Double(counts.max() ?? 1)
    let (width, height) = (260.0, 110.0)
    var out = ""
    for (index, count) in counts.enumerated() where count > 0 {
      let bar = Double(count) / max(most, 1) * height
      out += """
        <rect x="\(text(left + Double(index) * width / Double(bins)))" y="\(text(top + height - bar))" \
        width="\(text(width / Double(bins) - 1))" height="\(text(bar))" fill="#0072B2"/>

        """
    }
    let sorted = values.sorted()
    let median = sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    return out + """
      <line x1="\(text(left))" y1="\(text(top + height))" x2="\(text(left + width))" \
      y2="\(text(top + height))" stroke="#222"/>
      <text x="\(text(left))" y="\(text(top + height + 14))">\(percent(low))</text>
      <text x="\(text(left + width))" y="\(text(top + height + 14))" text-anchor="end">\(percent(high))</text>
      <text x="\(text(left))" y="\(text(top + height + 32))">\(escape(unit))</text>
      <text x="\(text(left))" y="\(text(top + height + 47))">best \
      \(percent(values.isEmpty ? 0 : values[best])) (layer \(best / max(heads, 1) + 1), head \
      \(best % max(heads, 1) + 1)), median \(percent(median))</text>

      """
  }

  /// White over blue to dark blue, readable without telling hues apart.
  private func colour(_ share: Double) -> String {
    let stops: [(Double, Double, Double)] = [
      (247, 251, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107),
    ]
    let place = min(max(share, 0), 1) * Double(stops.count - 1)
    let index = min(Int(place), stops.count - 2)
    let part = place - Double(index)
    func mix(_ a: Double, _ b: Double) -> Int { Int((a + (b - a) * part).rounded()) }
    return "rgb(\(mix(stops[index].0, stops[index + 1].0)),"
      + "\(mix(stops[index].1, stops[index + 1].1)),\(mix(stops[index].2, stops[index + 1].2)))"
  }

  private func percent(_ value: Float) -> String { String(format: "%.1f %%", value * 100) }

  private func escape(_ value: String) -> String {
    printable(value).replacingOccurrences(of: "&", with: "&amp;")
      .replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;")
  }
}

private func text(_ value: Double) -> String {
  value == value.rounded() ? String(Int(value)) : String(format: "%.2f", value)
}
