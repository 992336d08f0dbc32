// After how many frames music comes round again: its pulse, heard in the codes themselves.
//
// A bar seldom lasts a whole number of frames, so its codes hardly ever come back; what they stand for does. Each frame is
// told by its entry sums (the latents that the decoder reads), smoothed over three frames and without their mean, of
// length one, and by how much changed since the frame before. The beat is the length, in parts of frames too, at whose
// multiples frames are most alike. Source: ours; a comb over the autocorrelation, as in beat trackers.

import Foundation
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
  /// Beats looked for, in frames: 0.44 to 1.04 s, 58 to 136 beats per minute; faster music is heard by its half notes.
  static let beats = 22.0...52
  /// Lengths tried, each 0.2 % above the one before.
  private static let tried = 400
  /// The beat that most music has, in frames, and how much a beat an octave from it loses.
  private static let usualBeat = 26.0
  private static let octaveLoss: Float = 0.02
  /// Frames of a theme: 2 to 8 s.
  private static let shortestTheme = 100
  private static let longestTheme = 400
  /// Lags that are looked at, in frames.
  private static let lags = 20...480
  /// The likeness that a beat must have: 95 of 100 validation songs have more; with their frames in a random order the
  /// median is 0.016, and one in ten has more than 0.023.
  private static let faintest: Float = 0.02
  /// Weight of the change beside the likeness.
  private static let changeWeight: Float = 1
  /// Pairs of frames that speak for a lag, at most: the latest.
  private static let pairs = 300

  /// - Parameter channels: 2 where codebooks of left and right alternate.
  package init(quantiser: ResidualQuantiser, codebooks: Int, channels: Int) {
    precondition(codebooks % channels == 0 && codebooks / channels <= quantiser.codebooks)
    self.quantiser = quantiser
    self.codebooks = codebooks
    self.channels = channels
  }

  /// That of a codec's codes as a language model orders them.
  package init(codec: EnCodec, config: LanguageModelConfig) {
    self.init(
      quantiser: codec.quantiser, codebooks: config.codebooks, channels: config.audioChannels)
  }

  /// The last frames of a prompt, as many as come round again: one bar or some, as a player's looper would keep them.
  /// - Parameter codes: (frames, K).
  /// - Returns: codes (frames, K), 2 to 8 s (less of a prompt below 4 s); empty of less than 3 s, and where nothing comes round.
  package func theme(of codes: [Int32]) -> [Int32] {
    let alike = likeness(codes)
    guard let beat = Self.beat(alike) else { return [] }
    // The multiple of the beat after which frames are most alike: bars rather than beats. Players and the beat found are
    // not that exact, so its neighbours are looked at, too.
    let most = min(Self.longestTheme, alike.count - 1)
    let multiples = (1...Int(Double(most) / beat)).map { Int((Double($0) * beat).rounded()) }
    let found = multiples.filter { $0 >= Self.shortestTheme }
      .flatMap { Array($0 - 2...min($0 + 2, most)) }
      .max { alike[$0] < alike[$1] }
    // Of a short prompt as much as was there twice.
    return Array(codes.suffix((found ?? multiples[multiples.count - 1]) * codebooks))
  }

  /// The beat in frames, or its double or half; nil of less than 3 s, and where nothing comes round.
  /// - Parameter codes: (frames, K).
  func beat(of codes: [Int32]) -> Double? { Self.beat(likeness(codes)) }

  /// The mean likeness at the multiples of a beat, from the second on, the k-th weighing 1/√k.
  private static func beat(_ alike: [Float]) -> Double? {
    guard let last = alike.indices.last else { return nil }
    var best: (beat: Double, score: Float)?
    for number in 0..<tried {
      let share = Double(number) / Double(tried - 1)
      let beat = beats.lowerBound * pow(beats.upperBound / beats.lowerBound, share)
      var (sum, weights): (Float, Float) = (0, 0)
      for multiple in stride(from: 2, through: Int(Double(last) / beat), by: 1) {
        let place = Double(multiple) * beat
        let (below, part) = (Int(place), Float(place - place.rounded(.down)))
        let weight = 1 / Float(multiple).squareRoot()
        sum += weight * (alike[below] * (1 - part) + alike[min(below + 1, last)] * part)
        weights += weight
      }
      let octaves = Float(log2(beat / usualBeat))
      let score = sum / max(weights, .leastNormalMagnitude) - octaveLoss * octaves * octaves
      if score > best?.score ?? faintest { best = (beat, score) }
    }
    return best?.beat
  }

  /// How alike frames are that lie so many frames apart, against what is usual; 0 for lags that are not looked at, empty
  /// of less than 3 s.
  private func likeness(_ codes: [Int32]) -> [Float] {
    let frames = min(codes.count / codebooks, Self.heard)
    guard frames >= Self.fewest else { return [] }
    let (rows, width) = features(Array(codes.suffix(frames * codebooks)), frames: frames)
    let shortest = Self.lags.lowerBound
    let longest = min(Self.lags.upperBound, frames - 50)
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
