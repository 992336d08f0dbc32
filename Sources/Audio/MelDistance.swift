// How different two sounds are to an ear that does not mind phase: log-mel spectra at four resolutions.
//
// In: two mono sounds of one length. Out: the mean absolute difference of natural logarithms of mel amplitudes (floor
// 1e-3), averaged over windows of 2048, 1024, 512 and 256 samples. Source: ours, Training/codec_losses.py, with which
// the codec is trained and measured.

import Foundation

/// Measures at one rate. Used from one thread.
package final class MelDistance {
  private struct Filter {
    var first: Int
    var weights: [Float]
  }

  private struct Resolution {
    var frames: PowerFrames
    var filters: [Filter]
  }

  /// Log-mel values of a sound, one array per resolution.
  package struct Spectra: Sendable {
    fileprivate var values: [[Float]]
  }

  private let resolutions: [Resolution]

  /// - Parameter rate: frames per second.
  package init(rate: Int) {
    resolutions = [(2048, 80), (1024, 80), (512, 48), (256, 24)].map { length, bands in
      Resolution(
        frames: PowerFrames(length: length, hop: length / 4, edge: .reflection),
        filters: Self.filters(length: length, bands: bands, rate: rate))
    }
  }

  /// The spectra of a sound of at least 1025 samples.
  package func spectra(of samples: [Float]) -> Spectra {
    Spectra(
      values: resolutions.map { resolution in
        var values: [Float] = []
        let scale = 1 / Float(resolution.frames.length).squareRoot()
        resolution.frames.forEach(of: samples) { _, power in
          for filter in resolution.filters {
            var sum: Float = 0
            for (offset, weight) in filter.weights.enumerated() {
              sum += weight * power[filter.first + offset]
            }
            values.append(log((sum + 1e-8).squareRoot() * scale + 1e-3))
          }
        }
        return values
      })
  }

  /// The distance of two sounds of one length; 0 for equal ones.
  package func distance(_ a: Spectra, _ b: Spectra) -> Double {
    var total = 0.0
    for (x, y) in zip(a.values, b.values) {
      precondition(x.count == y.count, "sounds of different lengths")
      var sum = 0.0
      for index in x.indices { sum += Double(abs(x[index] - y[index])) }
      total += sum / Double(max(x.count, 1))
    }
    return total / Double(a.values.count)
  }

  /// Triangles from 30 Hz to half the rate on the mel scale 2595·log10(1 + f/700), each of unit sum.
  private static func filters(length: Int, bands: Int, rate: Int) -> [Filter] {
    func mel(_ hertz: Double) -> Double { 2595 * log10(1 + hertz / 700) }
    let (low, high) = (mel(30), mel(Double(rate) / 2))
    let edges = (0..<bands + 2).map { index -> Double in
      let place = low + (high - low) * Double(index) / Double(bands + 1)
      return 700 * (pow(10, place / 2595) - 1)
    }
    let perBin = Double(rate) / Double(length)
    return (0..<bands).map { band in
      let (left, centre, right) = (edges[band], edges[band + 1], edges[band + 2])
      let weights = (0...length / 2).map { bin -> Double in
        let place = Double(bin) * perBin
        return max(min((place - left) / (centre - left), (right - place) / (right - centre)), 0)
      }
      let sum = weights.reduce(0, +)
      guard sum > 0, let first = weights.firstIndex(where: { $0 > 0 }),
        let last = weights.lastIndex(where: { $0 > 0 })
      else {
        // Narrower than a bin: the nearest one.
        return Filter(
          first: min(Int((centre / perBin).rounded(.toNearestOrEven)), length / 2), weights: [1])
      }
      return Filter(first: first, weights: weights[first...last].map { Float($0 / sum) })
    }
  }
}

/// Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., 2019), means taken out.
/// - Parameters:
///   - sound: what came back.
///   - reference: what was given, as long.
package func scaleInvariantDistortion(of sound: [Float], reference: [Float]) -> Double {
  precondition(sound.count == reference.count && !sound.isEmpty)
  let count = Double(sound.count)
  let meanX = reference.reduce(0.0) { $0 + Double($1) } / count
  let meanY = sound.reduce(0.0) { $0 + Double($1) } / count
  var (xy, xx) = (0.0, 0.0)
  for index in sound.indices {
    let x = Double(reference[index]) - meanX
    xy += x * (Double(sound[index]) - meanY)
    xx += x * x
  }
  let scale = xy / (xx + 1e-9)
  var (signal, rest) = (0.0, 0.0)
  for index in sound.indices {
    let target = scale * (Double(reference[index]) - meanX)
    let error = Double(sound[index]) - meanY - target
    signal += target * target
    rest += error * error
  }
  return 10 * log10(signal / (rest + 1e-9) + 1e-9)
}
