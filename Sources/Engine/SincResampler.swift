// Resampling as a pure function of position, so that sound can be made again from any place.
//
// A resampler with a memory cannot roll back. Here output sample n is a fixed weighted sum of the input
// samples around n · from / to: a Kaiser-windowed sinc, one row of weights per phase of the reduced
// ratio. The same range asked twice gives the same bits. Ours; the design is the textbook polyphase
// filter (stop band about −90 dB, pass band to 0.9 of the smaller Nyquist frequency).

import Foundation

/// Converts between two rates by absolute sample numbers.
package struct SincResampler: Sendable {
  package let from: Int
  package let to: Int
  /// Input samples needed before and behind an output's place.
  package let wing: Int
  private let stepNumerator: Int
  private let phases: Int
  private let weights: [Float]  // (phases, 2 · wing)

  /// - Parameters:
  ///   - from: input samples per second.
  ///   - to: output samples per second.
  package init(from: Int, to: Int) {
    precondition(from > 0 && to > 0, "rates are positive")
    self.from = from
    self.to = to
    let divisor = Self.greatestCommonDivisor(from, to)
    stepNumerator = from / divisor
    phases = to / divisor
    guard from != to else {
      wing = 0
      weights = []
      return
    }
    // Downwards the filter is wider by the ratio, so that it cuts below the new Nyquist frequency.
    let stretch = max(1, Double(from) / Double(to))
    let cutoff = 0.95 / stretch
    wing = Int((32 * stretch).rounded(.up))
    let beta = 9.0
    var table = [Float](repeating: 0, count: phases * 2 * wing)
    for phase in 0..<phases {
      let fraction = Double(phase) / Double(phases)
      var row = [Double](repeating: 0, count: 2 * wing)
      for tap in 0..<(2 * wing) {
        let x = Double(tap - wing + 1) - fraction
        let u = x / Double(wing)
        guard abs(u) < 1 else { continue }
        let angle = Double.pi * cutoff * x
        let sinc = x == 0 ? 1 : sin(angle) / angle
        row[tap] = sinc * Self.bessel(beta * (1 - u * u).squareRoot())
      }
      // Every phase has gain 1 at zero frequency: no ripple between phases.
      let sum = row.reduce(0, +)
      for tap in row.indices { table[phase * 2 * wing + tap] = Float(row[tap] / sum) }
    }
    weights = table
  }

  /// The first and the last-plus-one input sample that the outputs in `range` need.
  package func inputs(for range: Range<Int>) -> Range<Int> {
    guard from != to, !range.isEmpty else { return range }
    let first = floorDivide(range.lowerBound * stepNumerator, phases)
    let last = floorDivide((range.upperBound - 1) * stepNumerator, phases)
    return (first - wing + 1)..<(last + wing + 1)
  }

  /// How many outputs, counted from output 0, can be made from the inputs before `end`.
  package func outputs(beforeInput end: Int) -> Int {
    guard from != to else { return end }
    // The last usable output n has floor(n · from / to) + wing < end.
    return floorDivide((end - wing) * phases + stepNumerator - 1, stepNumerator)
  }

  /// Makes the outputs in `range`.
  ///
  /// - Parameters:
  ///   - source: input samples; what lies outside counts as silence.
  ///   - sourceStart: number of the first one.
  ///   - output: receives `range.count` samples.
  package func make(
    _ range: Range<Int>, source: Span<Float>, sourceStart: Int,
    into output: inout MutableSpan<Float>
  ) {
    precondition(output.count >= range.count, "room for \(output.count) of \(range.count)")
    guard from != to else {
      for (index, position) in range.enumerated() {
        let place = position - sourceStart
        output[index] = place >= 0 && place < source.count ? source[place] : 0
      }
      return
    }
    for (index, position) in range.enumerated() {
      let product = position * stepNumerator
      let base = floorDivide(product, phases)
      let row = (product - base * phases) * 2 * wing
      let first = base - wing + 1 - sourceStart
      var sum: Float = 0
      if first >= 0 && first + 2 * wing <= source.count {
        for tap in 0..<(2 * wing) { sum += weights[row + tap] * source[first + tap] }
      } else {
        for tap in 0..<(2 * wing) where first + tap >= 0 && first + tap < source.count {
          sum += weights[row + tap] * source[first + tap]
        }
      }
      output[index] = sum
    }
  }

  /// Everything that can be made from one piece of sound.
  /// - Parameter start: number of its first sample: the outputs are those whose place lies behind it.
  package func whole(_ samples: [Float], start: Int = 0) -> [Float] {
    let first = -floorDivide(-start * phases, stepNumerator)
    let end = -floorDivide(-(start + samples.count) * phases, stepNumerator)
    var result = [Float](repeating: 0, count: max(0, end - first))
    var span = result.mutableSpan
    make(first..<max(first, end), source: samples.span, sourceStart: start, into: &span)
    return result
  }

  private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    var (x, y) = (a, b)
    while y != 0 { (x, y) = (y, x % y) }
    return x
  }

  /// Modified Bessel function of order 0, by its series.
  private static func bessel(_ x: Double) -> Double {
    var (sum, term, k) = (1.0, 1.0, 1.0)
    while term > sum * 1e-12 {
      term *= (x / 2 / k) * (x / 2 / k)
      sum += term
      k += 1
    }
    return sum
  }
}
