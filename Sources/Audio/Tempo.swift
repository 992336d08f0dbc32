// How fast the beat of a piece is: onset strength, its autocorrelation over 8 s, and a preference around 120.
//
// In: one channel. Out: beats per minute. Onset strength is the mean rise of 128 mel bands in decibels from one frame
// (2048 samples) to the next; its autocorrelations over windows of 8 s are averaged, and the lag with the largest
// log(1 + 10⁶ r) − ½ log2(bpm / 120)² wins, below 320. Source: librosa's `feature.tempo` (published code; D. Ellis,
// Beat tracking by dynamic programming, 2007). A frame every 8 ms at 32 kHz: at 20 ms, librosa's figure for
// a beat of 0.5 s has steps of 4 %, which is the tolerance of the evaluation that uses it.

import Foundation

/// Tempo of sounds.
package enum Tempo {
  private static let length = 2048
  private static let bands = 128
  /// Samples from one onset strength to the next.
  package static let hop = 256

  /// Whether two tempi are equal within `tolerance`, half and double counting as the same.
  package static func areSame(_ a: Double, _ b: Double, tolerance: Double = 0.04) -> Bool {
    guard a > 0, b > 0 else { return false }
    return [0.5, 1, 2].contains { abs(a * $0 / b - 1) <= tolerance }
  }

  /// Beats per minute; 0 for a sound without any onset.
  package static func beatsPerMinute(of samples: [Float], rate: Int) -> Double {
    let onsets = onsetStrength(of: samples, rate: rate)
    guard onsets.contains(where: { $0 > 0 }) else { return 0 }
    let lags = autocorrelation(of: onsets, window: 8 * rate / hop)
    let perMinute = 60 * Double(rate) / Double(hop)
    var (best, found) = (-Double.infinity, 0.0)
    for lag in 1..<lags.count {
      let tempo = perMinute / Double(lag)
      guard tempo < 320 else { continue }
      let octaves = log2(tempo / 120)
      let score = log1p(1e6 * Double(lags[lag])) - 0.5 * octaves * octaves
      if score > best { (best, found) = (score, tempo) }
    }
    return found
  }

  /// Mean rise of the mel bands per frame, in decibels.  // (1 + samples / hop)
  package static func onsetStrength(of samples: [Float], rate: Int) -> [Float] {
    let frames = PowerFrames(length: length, hop: hop)
    let filters = filters(rate: rate, bins: frames.bins)
    let count = frames.count(of: samples.count)
    var levels = [Float](repeating: 0, count: count * bands)  // (frames, bands)
    frames.forEach(of: samples) { frame, power in
      for (band, filter) in filters.enumerated() {
        var sum: Float = 0
        for (offset, weight) in filter.weights.enumerated() {
          sum += weight * power[filter.first + offset]
        }
        levels[frame * bands + band] = 10 * log10(max(sum, 1e-10))
      }
    }
    let floor = (levels.max() ?? 0) - 80
    for index in levels.indices { levels[index] = max(levels[index], floor) }
    // A rise is heard in the middle of its window: moved by half a window, and by the difference's own frame.
    let shift = 1 + length / (2 * hop)
    var onsets = [Float](repeating: 0, count: count)
    for frame in 1..<max(count, 1) where frame - 1 + shift < count {
      var rise: Float = 0
      for band in 0..<bands {
        rise += max(levels[frame * bands + band] - levels[(frame - 1) * bands + band], 0)
      }
      onsets[frame - 1 + shift] = rise / Float(bands)
    }
    return onsets
  }

  /// Mean over all places of the autocorrelation within a Hann window around the place, each divided by its
  /// largest value.  // (window)
  private static func autocorrelation(of onsets: [Float], window: Int) -> [Float] {
    let half = window / 2
    var padded = [Float](repeating: 0, count: half)
    for index in 0..<half { padded[index] = (onsets.first ?? 0) * Float(index) / Float(half) }
    padded += onsets
    for index in 0..<half {
      padded.append((onsets.last ?? 0) * Float(half - 1 - index) / Float(half))
    }
    var size = 2
    while size < 2 * window { size *= 2 }
    let transform = FourierTransform(length: size)
    let shape = hannWindow(window)
    var block = [Float](repeating: 0, count: size)
    var lags = [Float](repeating: 0, count: size)
    var sum = [Float](repeating: 0, count: window)
    var places = 0
    for place in onsets.indices where place + window <= padded.count {
      places += 1
      for index in 0..<window { block[index] = shape[index] * padded[place + index] }
      transform.autocorrelation(of: block, into: &lags)
      var largest: Float = 0
      for lag in 0..<window { largest = max(largest, abs(lags[lag])) }
      guard largest > .leastNormalMagnitude else { continue }
      for lag in 0..<window { sum[lag] += lags[lag] / largest }
    }
    return sum.map { max($0, 0) / Float(max(places, 1)) }
  }

  private struct Filter {
    var first: Int
    var weights: [Float]
  }

  /// Triangles of equal area on Slaney's mel scale: linear below 1 kHz, logarithmic above.
  private static func filters(rate: Int, bins: Int) -> [Filter] {
    let perOctave = log(6.4) / 27  // 27 bands from 1 to 6.4 kHz
    func mel(_ hertz: Double) -> Double {
      hertz < 1000 ? hertz * 3 / 200 : 15 + log(hertz / 1000) / perOctave
    }
    func hertz(_ mel: Double) -> Double {
      mel < 15 ? mel * 200 / 3 : 1000 * exp(perOctave * (mel - 15))
    }
    let top = mel(Double(rate) / 2)
    let edges = (0..<bands + 2).map { hertz(top * Double($0) / Double(bands + 1)) }
    let perBin = Double(rate) / 2 / Double(bins - 1)
    return (0..<bands).map { band in
      let (low, centre, high) = (edges[band], edges[band + 1], edges[band + 2])
      let first = max(Int((low / perBin).rounded(.up)), 0)
      let last = min(Int((high / perBin).rounded(.down)), bins - 1)
      guard first <= last else { return Filter(first: 0, weights: []) }
      return Filter(
        first: first,
        weights: (first...last).map { bin in
          let place = Double(bin) * perBin
          let share = min((place - low) / (centre - low), (high - place) / (high - centre))
          return Float(max(share, 0) * 2 / (high - low))
        })
    }
  }
}
