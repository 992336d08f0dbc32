// After how many frames music comes round again: its pulse, heard in the codes themselves.
//
// A bar seldom lasts a whole number of frames, so its codes hardly ever come back; what they stand for does. Each frame is
// told by its entry sums (the latents that the decoder reads), smoothed over three frames and without their mean, of
// length one, and by how much changed since the frame before. The period is the lag at which frames are most alike, and
// at twice which they are again. Source: ours; a comb over the autocorrelation, as in beat trackers.

import Kernels

/// Finds periods. Immutable; holds the codec's quantiser.
package struct Pulse: Sendable {
  private let quantiser: ResidualQuantiser
  /// Codebooks of a frame and channels among them; the first channel is heard.
  private let codebooks: Int
  private let channels: Int
  /// Frames that are heard: the last 10 s.
  static let heard = 500
  /// Frames below which nothing is said: 3 s.
  static let fewest = 150
  /// Periods looked for, in frames: 0.8 to 4.8 s, a beat at 75 beats per minute to two bars at 100.
  static let periods = 40...240
  /// Frames of a theme: 2 s, where there are so many, to 8 s.
  private static let shortestTheme = 100
  private static let longestTheme = 400
  /// The likeness that a period must have: each of 200 test songs has 0.106 or more; with their frames in a random order
  /// the median is 0.072, and one in ten has more than 0.099.
  private static let faintest: Float = 0.1
  /// Weight of the change beside the likeness.
  private static let changeWeight: Float = 0.6
  /// Pairs of frames that speak for a lag, at most: the latest.
  private static let pairs = 300

  /// - Parameter channels: 2 where codebooks of left and right alternate.
  package init(quantiser: ResidualQuantiser, codebooks: Int, channels: Int) {
    precondition(codebooks % channels == 0 && codebooks / channels <= quantiser.codebooks)
    self.quantiser = quantiser
    self.codebooks = codebooks
    self.channels = channels
  }

  /// The last frames of a prompt, as many as come round again: one bar or some, as a player's looper would keep them.
  /// - Parameter codes: (frames, K).
  /// - Returns: codes (frames, K), at most 8 s; empty of less than 3 s, and where nothing comes round.
  package func theme(of codes: [Int32]) -> [Int32] {
    let alike = likeness(codes)
    guard let period = Self.period(alike) else { return [] }
    // Of the multiples of the period the one after which the frames are most alike: bars rather than beats. The period
    // is a whole number of frames, the bar is not, so that its neighbours are looked at, too.
    let most = min(codes.count / codebooks, Self.longestTheme, alike.count - 1)
    let found = stride(from: period, through: most, by: period).filter { $0 >= Self.shortestTheme }
      .flatMap { Array($0 - 2...min($0 + 2, most)) }
      .max { alike[$0] < alike[$1] }
    return Array(codes.suffix((found ?? period) * codebooks))
  }

  /// The period in frames: a beat or a few; nil of less than 3 s, and where nothing comes round.
  /// - Parameter codes: (frames, K).
  func period(of codes: [Int32]) -> Int? { Self.period(likeness(codes)) }

  private static func period(_ alike: [Float]) -> Int? {
    var best: (period: Int, score: Float)?
    for period in periods where 2 * period + 1 < alike.count {
      let twice = max(alike[2 * period - 1], alike[2 * period], alike[2 * period + 1])
      let score = alike[period] + 0.5 * twice
      if score > best?.score ?? faintest { best = (period, score) }
    }
    return best?.period
  }

  /// How alike frames are that lie so many frames apart, against what is usual; 0 for lags that are not looked at, empty
  /// of less than 3 s.
  private func likeness(_ codes: [Int32]) -> [Float] {
    let frames = min(codes.count / codebooks, Self.heard)
    guard frames >= Self.fewest else { return [] }
    let (rows, width) = features(Array(codes.suffix(frames * codebooks)), frames: frames)
    let shortest = Self.periods.lowerBound / 2
    let longest = min(Self.periods.upperBound * 2, frames - 50)
    var alike = (0...longest).map { lag -> Float in
      guard lag >= shortest else { return 0 }
      let first = max(lag, frames - Self.pairs)
      var sum: Float = 0
      for frame in first..<frames {
        for i in 0..<width { sum += rows[frame * width + i] * rows[(frame - lag) * width + i] }
      }
      return sum / Float(frames - first)
    }
    let usual = alike[shortest...].sorted()[(longest - shortest + 1) / 2]
    for lag in shortest...longest { alike[lag] -= usual }
    return alike
  }

  /// (frames, width): latents smoothed, without their mean, of length one; then the weighted change.
  private func features(_ codes: [Int32], frames: Int) -> (rows: [Float], width: Int) {
    let books = codebooks / channels
    let own = stride(from: 0, to: codes.count, by: channels).map {
      min(max(codes[$0], 0), Int32(quantiser.cardinality - 1))
    }
    let size = quantiser.width
    var latents = [Float](repeating: 0, count: frames * size)
    var span = latents.mutableSpan
    quantiser.decode(own.span, count: frames, books: books, into: &span)
    var mean = [Float](repeating: 0, count: size)
    for frame in 0..<frames {
      for i in 0..<size { mean[i] += latents[frame * size + i] / Float(frames) }
    }
    var change = [Float](repeating: 0, count: frames)
    for frame in 1..<frames {
      var sum: Float = 0
      for i in 0..<size {
        let step = latents[frame * size + i] - latents[(frame - 1) * size + i]
        sum += step * step
      }
      change[frame] = sum.squareRoot()
    }
    let typical = max(change.reduce(0, +) / Float(frames), .leastNormalMagnitude)
    for frame in 0..<frames { change[frame] = change[frame] / typical - 1 }
    let width = size + 1
    var rows = [Float](repeating: 0, count: frames * width)
    for frame in 0..<frames {
      let (before, after) = (max(frame - 1, 0), min(frame + 1, frames - 1))
      func smooth(_ value: (Int) -> Float) -> Float {
        0.25 * value(before) + 0.5 * value(frame) + 0.25 * value(after)
      }
      var square: Float = 0
      for i in 0..<size {
        let value = smooth { latents[$0 * size + i] } - mean[i]
        rows[frame * width + i] = value
        square += value * value
      }
      let scale = 1 / (square.squareRoot() + 1e-6)
      for i in 0..<size { rows[frame * width + i] *= scale }
      rows[frame * width + size] = Self.changeWeight * smooth { change[$0] }
    }
    return (rows, width)
  }
}
