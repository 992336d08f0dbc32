// Loudness over time and pitch, for looking at: mel bands in decibels.
//
// In: one channel of sound. Out: columns × bands of dB relative to a full-scale sine.
// Hann windows of 2048 samples; mel scale 2595·log10(1 + f/700) [O'Shaughnessy], triangular bands of
// summed power. For pictures only: nothing is learned from it.

import Foundation

/// A picture's worth of spectrum.
package struct Spectrogram: Sendable {
  /// Number of time columns.
  package let columns: Int
  /// Number of mel bands, lowest first.
  package let bands: Int
  /// Level in dB, a full-scale sine is about 0; `floor` where there is nothing.  // (columns, bands)
  package let levels: [Float]
  /// Lowest and highest frequency shown, in Hz.
  package let range: ClosedRange<Double>

  /// Level given to silence, in dB.
  package static let floor: Float = -120

  /// - Parameters:
  ///   - samples: one channel, full scale ±1.  // (frames)
  ///   - rate: frames per second.
  ///   - columns: most columns wanted; a clip too short for them has fewer, at least one.
  ///   - bands: mel bands.
  ///   - low: lowest frequency in Hz; the highest is half the rate.
  package init(
    of samples: [Float], rate: Int, columns: Int = 960, bands: Int = 192, low: Double = 40
  ) {
    let length = 2048
    let transform = FourierTransform(length: length)
    let high = Double(rate) / 2
    range = min(low, high / 2)...high
    self.bands = bands
    let hop = max(samples.count / max(columns, 1), length / 16)
    self.columns = max(1, min(columns, (samples.count + hop - 1) / hop))

    // Hann window, scaled so that a full-scale sine has power 1 in its band.
    let window = (0..<length).map { index -> Float in
      let phase = 2 * Double.pi * (Double(index) + 0.5) / Double(length)
      return Float((1 - cos(phase)) * 2 / Double(length))
    }
    let filters = Self.filters(bands: bands, range: range, bins: transform.bins, rate: rate)
    var levels = [Float](repeating: Self.floor, count: self.columns * bands)
    var windowed = [Float](repeating: 0, count: length)
    var power = [Float](repeating: 0, count: transform.bins)
    for column in 0..<self.columns {
      // A wide column shows the loudest of several windows, so that no drum hit falls between them.
      var centre = column * samples.count / self.columns
      let end = max((column + 1) * samples.count / self.columns, centre + 1)
      while centre < end {
        for index in 0..<length {
          let place = centre - length / 2 + index
          windowed[index] = samples.indices.contains(place) ? window[index] * samples[place] : 0
        }
        transform.power(of: windowed, into: &power)
        for (band, filter) in filters.enumerated() {
          var sum: Float = 0
          for (offset, weight) in filter.weights.enumerated() {
            sum += weight * power[filter.first + offset]
          }
          let level = max(10 * log10(max(sum, 1e-30)), Self.floor)
          levels[column * bands + band] = max(levels[column * bands + band], level)
        }
        centre += length / 2
      }
    }
    self.levels = levels
  }

  /// Where a frequency stands on the mel axis: 0 at the low end, 1 at the high end.
  package func position(of hertz: Double) -> Double {
    let low = Self.mel(range.lowerBound)
    return (Self.mel(hertz) - low) / (Self.mel(range.upperBound) - low)
  }

  private static func mel(_ hertz: Double) -> Double { 2595 * log10(1 + hertz / 700) }

  private struct Filter {
    var first: Int
    var weights: [Float]
  }

  private static func filters(
    bands: Int, range: ClosedRange<Double>, bins: Int, rate: Int
  ) -> [Filter] {
    let low = mel(range.lowerBound)
    let high = mel(range.upperBound)
    let perBin = Double(rate) / 2 / Double(bins - 1)
    func bin(_ edge: Double) -> Double {
      let mel = low + (high - low) * min(max(edge, 0), Double(bands)) / Double(bands)
      return 700 * (pow(10, mel / 2595) - 1) / perBin
    }
    return (0..<bands).map { band in
      let centre = bin(Double(band) + 0.5)
      // At least one bin to each side, so that narrow low bands interpolate between bins.
      let left = min(bin(Double(band) - 0.5), centre - 1)
      let right = max(bin(Double(band) + 1.5), centre + 1)
      let first = max(Int(left.rounded(.up)), 0)
      let last = min(Int(right.rounded(.down)), bins - 1)
      // A sine spreads over bins whose power adds up to 1.5 times its own (the noise bandwidth of Hann's
      // window): divided away, a full-scale sine is 0 dB wherever bands are wider than that.
      let weights = (first...max(first, last)).map { index -> Float in
        let place = Double(index)
        let share =
          place < centre ? (place - left) / (centre - left) : (right - place) / (right - centre)
        return Float(max(share, 0) / 1.5)
      }
      return Filter(first: first, weights: weights)
    }
  }
}
