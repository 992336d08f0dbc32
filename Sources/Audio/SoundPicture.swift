// A picture of a piece of sound as one self-contained SVG: waveform, spectrogram, the join between prompt
// and continuation, and curves beneath (readings, thresholds, gains of knobs). No scripts, no fonts, no
// links: it opens in every browser and converter. The same sound gives the same bytes.

import Foundation

/// What is drawn, and the drawing.
package struct SoundPicture: Sendable {
  /// A line over time.
  package struct Curve: Sendable {
    package enum Style: Sendable { case line, dashed, steps }
    package var label: String
    package var style: Style
    /// Times in seconds and values, in order of time.
    package var points: [(seconds: Double, value: Double)]

    package init(
      _ label: String, style: Style = .line, points: [(seconds: Double, value: Double)]
    ) {
      self.label = label
      self.style = style
      self.points = points
    }
  }

  /// Curves that share one axis beneath the spectrogram.
  package struct Panel: Sendable {
    package var title: String
    package var range: ClosedRange<Double>
    package var curves: [Curve]

    package init(_ title: String, range: ClosedRange<Double>, curves: [Curve]) {
      self.title = title
      self.range = range
      self.curves = curves
    }
  }

  package var title: String
  package var clip: AudioClip
  /// Where the prompt ends and the continuation begins, in seconds.
  package var join: Double?
  package var panels: [Panel]

  package init(title: String, clip: AudioClip, join: Double? = nil, panels: [Panel] = []) {
    self.title = title
    self.clip = clip
    self.join = join
    self.panels = panels
  }

  // Lengths in pixels.
  private static let left = 64.0
  private static let plotWidth = 960.0
  private static let right = 112.0
  private static let waveTop = 48.0
  private static let waveHeight = 72.0
  private static let spectrumHeight = 288.0
  private static let panelHeight = 84.0
  private static let gap = 24.0
  /// Decibels from the brightest to the darkest colour.
  private static let span: Float = 80
  /// Colours that the colour-blind can tell apart (Okabe and Ito).
  private static let colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"]

  /// The picture as SVG text.
  package func svg() -> String {
    let mono = clip.mono
    let spectrumTop = Self.waveTop + Self.waveHeight + Self.gap
    let panelsTop = spectrumTop + Self.spectrumHeight + Self.gap
    let bottom =
      panelsTop + Double(panels.count) * (Self.panelHeight + Self.gap) - Self.gap
    let width = Self.left + Self.plotWidth + Self.right
    let height = bottom + 48
    var out = """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(width)) \(number(height))" \
      width="\(number(width))" height="\(number(height))" font-family="sans-serif" font-size="12" fill="#222">
      <title>\(escaped(title))</title>
      <rect width="100%" height="100%" fill="#fff"/>
      <text x="\(number(Self.left))" y="24" font-size="15" font-weight="bold">\(escaped(title))</text>

      """
    out += waveform(mono)
    out += spectrum(mono, top: spectrumTop)
    for (index, panel) in panels.enumerated() {
      out += draw(panel, top: panelsTop + Double(index) * (Self.panelHeight + Self.gap))
    }
    out += timeAxis(from: Self.waveTop, to: bottom)
    if let join { out += joinMark(join, from: Self.waveTop, to: bottom) }
    return out + "</svg>\n"
  }

  // MARK: parts

  private func waveform(_ samples: [Float]) -> String {
    let middle = Self.waveTop + Self.waveHeight / 2
    let columns = Int(Self.plotWidth)
    var upper: [String] = []
    var lower: [String] = []
    for column in 0..<columns {
      let first = column * samples.count / columns
      let last = max((column + 1) * samples.count / columns, first + 1)
      var low: Float = 0
      var high: Float = 0
      for index in first..<min(last, samples.count) {
        low = min(low, samples[index])
        high = max(high, samples[index])
      }
      let x = number(Self.left + Double(column))
      upper.append("\(x),\(number(middle - Double(min(high, 1)) * Self.waveHeight / 2))")
      lower.append("\(x),\(number(middle - Double(max(low, -1)) * Self.waveHeight / 2))")
    }
    return """
      <rect x="\(number(Self.left))" y="\(number(Self.waveTop))" width="\(number(Self.plotWidth))" \
      height="\(number(Self.waveHeight))" fill="#f4f4f4"/>
      <polygon fill="#0072B2" points="\((upper + lower.reversed()).joined(separator: " "))"/>
      <g text-anchor="end"><text x="\(number(Self.left - 8))" y="\(number(Self.waveTop + 10))">1</text>\
      <text x="\(number(Self.left - 8))" y="\(number(middle + 4))">0</text>\
      <text x="\(number(Self.left - 8))" y="\(number(Self.waveTop + Self.waveHeight))">−1</text></g>

      """
  }

  private func spectrum(_ samples: [Float], top: Double) -> String {
    let spectrogram = Spectrogram(of: samples, rate: clip.rate, columns: Int(Self.plotWidth))
    let loudest = spectrogram.levels.max() ?? 0
    // A multiple of 10 dB at the top, never above full scale, never so low that noise looks loud.
    let ceiling = min(max((loudest / 10).rounded(.up) * 10, -40), 10)
    let columns = spectrogram.columns
    let bands = spectrogram.bands
    var indices = [UInt8](repeating: 0, count: columns * bands)
    for column in 0..<columns {
      for band in 0..<bands {
        let share = 1 + (spectrogram.levels[column * bands + band] - ceiling) / Self.span
        indices[(bands - 1 - band) * columns + column] = UInt8(min(max(share, 0), 1) * 255)
      }
    }
    let picture = PaletteImage(width: columns, height: bands, indices: indices)
      .png(palette: PaletteImage.inferno)
    let bar = PaletteImage(width: 1, height: 256, indices: (0...255).reversed().map { UInt8($0) })
      .png(palette: PaletteImage.inferno)
    let barLeft = Self.left + Self.plotWidth + 20
    var out =
      image(picture, x: Self.left, y: top, width: Self.plotWidth, height: Self.spectrumHeight)
      + image(bar, x: barLeft, y: top, width: 14, height: Self.spectrumHeight)
    for step in stride(from: 0, through: Int(Self.span), by: 20) {
      let y = top + Self.spectrumHeight * Double(step) / Double(Self.span)
      let level = Int(ceiling) - step
      out += """
        <text x="\(number(barLeft + 18))" y="\(number(min(y + 4, top + Self.spectrumHeight)))">\
        \(level < 0 ? "−\(-level)" : "\(level)") dB</text>

        """
    }
    var lowest = Double.infinity
    for hertz in [50.0, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000]
    where spectrogram.range.contains(hertz) {
      let y = top + Self.spectrumHeight * (1 - spectrogram.position(of: hertz))
      guard y <= lowest - 13 else { continue }  // labels must not touch
      lowest = y
      let label = hertz >= 1000 ? "\(Int(hertz / 1000)) kHz" : "\(Int(hertz)) Hz"
      out += """
        <path d="M\(number(Self.left - 5)) \(number(y))h5" stroke="#222"/>\
        <text x="\(number(Self.left - 8))" y="\(number(y + 4))" text-anchor="end">\(label)</text>

        """
    }
    return out
  }

  private func image(_ png: [UInt8], x: Double, y: Double, width: Double, height: Double) -> String
  {
    """
    <image x="\(number(x))" y="\(number(y))" width="\(number(width))" height="\(number(height))" \
    preserveAspectRatio="none" href="data:image/png;base64,\(Data(png).base64EncodedString())"/>

    """
  }

  private func draw(_ panel: Panel, top: Double) -> String {
    let range = panel.range
    let size = max(range.upperBound - range.lowerBound, .leastNormalMagnitude)
    func y(_ value: Double) -> Double {
      let share = (min(max(value, range.lowerBound), range.upperBound) - range.lowerBound) / size
      return top + Self.panelHeight * (1 - share)
    }
    var out = """
      <rect x="\(number(Self.left))" y="\(number(top))" width="\(number(Self.plotWidth))" \
      height="\(number(Self.panelHeight))" fill="#f4f4f4"/>
      <text x="\(number(Self.left + 4))" y="\(number(top - 5))" font-weight="bold">\(escaped(panel.title))</text>
      <g text-anchor="end"><text x="\(number(Self.left - 8))" y="\(number(top + 10))">\(number(range.upperBound))</text>\
      <text x="\(number(Self.left - 8))" y="\(number(top + Self.panelHeight))">\(number(range.lowerBound))</text></g>

      """
    for (index, curve) in panel.curves.enumerated() {
      let colour = Self.colours[index % Self.colours.count]
      var path = ""
      var lastY = 0.0
      for point in curve.points where point.value.isFinite {
        let place = "\(number(x(point.seconds))) "
        let height = y(point.value)
        if path.isEmpty {
          path = "M" + place + number(height)
        } else if curve.style == .steps {
          path += "L" + place + number(lastY) + "V" + number(height)
        } else {
          path += "L" + place + number(height)
        }
        lastY = height
      }
      let dash = curve.style == .dashed ? " stroke-dasharray=\"6 4\"" : ""
      let labelY = top + 12 + Double(index) * 16
      let labelX = Self.left + Self.plotWidth + 8
      out += """
        <path d="\(path)" fill="none" stroke="\(colour)" stroke-width="1.5"\(dash)/>
        <path d="M\(number(labelX)) \(number(labelY - 4))h14" stroke="\(colour)" stroke-width="1.5"\(dash)/>\
        <text x="\(number(labelX + 18))" y="\(number(labelY))">\(escaped(curve.label))</text>

        """
    }
    return out
  }

  private func timeAxis(from top: Double, to bottom: Double) -> String {
    let seconds = max(clip.seconds, 1e-3)
    let steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200]
    let step = steps.first { seconds / $0 <= 12 } ?? seconds / 10
    var out = "<g text-anchor=\"middle\">\n"
    var tick = 0
    while Double(tick) * step <= seconds + 1e-9 {
      let place = number(x(Double(tick) * step))
      out += """
        <path d="M\(place) \(number(bottom))v5" stroke="#222"/>\
        <text x="\(place)" y="\(number(bottom + 18))">\(number(Double(tick) * step))</text>

        """
      tick += 1
    }
    return out + """
      <text x="\(number(Self.left + Self.plotWidth / 2))" y="\(number(bottom + 38))">time in seconds</text>
      </g>

      """
  }

  private func joinMark(_ join: Double, from top: Double, to bottom: Double) -> String {
    let place = x(min(max(join, 0), clip.seconds))
    let roomLeft = place - Self.left > 70
    let roomRight = Self.left + Self.plotWidth - place > 90
    var out = """
      <path d="M\(number(place)) \(number(top - 14))V\(number(bottom))" stroke="#fff" stroke-width="3"/>
      <path d="M\(number(place)) \(number(top - 14))V\(number(bottom))" stroke="#D55E00" stroke-width="1.5" \
      stroke-dasharray="5 3"/>

      """
    if roomLeft {
      out +=
        "<text x=\"\(number(place - 6))\" y=\"\(number(top - 5))\" text-anchor=\"end\">prompt</text>\n"
    }
    if roomRight {
      out += "<text x=\"\(number(place + 6))\" y=\"\(number(top - 5))\">continuation</text>\n"
    }
    return out
  }

  // MARK: small pieces

  private func x(_ seconds: Double) -> Double {
    Self.left + Self.plotWidth * min(max(seconds / max(clip.seconds, 1e-9), 0), 1)
  }

  /// A number with at most two decimals and no trailing zeros.
  private func number(_ value: Double) -> String {
    let rounded = (value * 100).rounded() / 100
    if rounded == rounded.rounded(), abs(rounded) < 1e9 { return String(Int(rounded)) }
    return String(rounded)
  }

  private func escaped(_ text: String) -> String {
    var result = ""
    for character in text.unicodeScalars {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default:
        let isAllowed = character.value >= 0x20 && character.value != 0x7F
        result.unicodeScalars.append(isAllowed ? character : "?")
      }
    }
    return result
  }
}
