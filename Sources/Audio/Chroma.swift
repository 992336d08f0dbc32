// Which of the twelve pitch classes sound in a piece: the mean chroma, for comparing the harmony of two pieces.
//
// In: one channel. Out: 12 numbers from C to B, of length 1. Frames of 4096 samples every 2048; each bin counts for
// the pitch classes near it, weighted by a bell over octaves around the fifth; every frame is divided by its largest
// value. Source: librosa's `chroma_stft` and `filters.chroma` with tuning 0 (published code, after D. Ellis); the
// tuning is not estimated, since the music in question is tuned to A 440.

import Foundation

/// The mean chroma of a sound.
package struct Chroma: Sendable, Equatable {
  /// C, C sharp, … B; Euclidean length 1, or all 0 for silence.  // (12)
  package let values: [Float]

  private static let length = 4096

  /// - Parameters:
  ///   - samples: one channel.
  ///   - rate: frames per second.
  package init(of samples: [Float], rate: Int) {
    let frames = PowerFrames(length: Self.length, hop: Self.length / 2)
    let filters = Self.filters(rate: rate, bins: frames.bins)
    var sum = [Float](repeating: 0, count: 12)
    frames.forEach(of: samples) { _, power in
      var chroma = [Float](repeating: 0, count: 12)
      for bin in 0..<power.count {
        let value = power[bin]
        for note in 0..<12 { chroma[note] += filters[bin * 12 + note] * value }
      }
      let largest = chroma.max() ?? 0
      guard largest > .leastNormalMagnitude else { return }
      for note in 0..<12 { sum[note] += chroma[note] / largest }
    }
    let norm = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
    values = norm > 0 ? sum.map { $0 / norm } : sum
  }

  /// Cosine between two chromas, 0 … 1; 0 where one is silent.
  package func similarity(to other: Chroma) -> Float {
    zip(values, other.values).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// How much each bin counts for each pitch class.  // (bins, 12)
  private static func filters(rate: Int, bins: Int) -> [Float] {
    // Pitch of a bin in semitones above A 27.5 Hz; bin 0 lies an octave and a half below bin 1.
    func semitones(_ bin: Int) -> Double {
      if bin == 0 { return semitones(1) - 18 }
      return 12 * log2(Double(bin) * Double(rate) / Double(length) / 27.5)
    }
    var result = [Float](repeating: 0, count: bins * 12)
    for bin in 0..<bins {
      let pitch = semitones(bin)
      let width = max(semitones(bin + 1) - pitch, 1)
      var weights = (0..<12).map { note -> Double in
        // Distance around the circle of pitch classes, −6 ..< 6.
        var distance = (pitch - Double(note) + 6).truncatingRemainder(dividingBy: 12)
        if distance < 0 { distance += 12 }
        let bell = 2 * (distance - 6) / width
        return exp(-0.5 * bell * bell)
      }
      let norm = weights.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let octave = (pitch / 12 - 5) / 2
      let share = exp(-0.5 * octave * octave)
      weights = weights.map { norm > 0 ? $0 / norm * share : 0 }
      // Counted from A above; C is three semitones higher.
      for note in 0..<12 { result[bin * 12 + note] = Float(weights[(note + 3) % 12]) }
    }
    return result
  }
}
