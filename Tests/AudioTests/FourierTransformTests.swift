import Audio
import Foundation
import TestSupport
import Testing

@Suite("Fourier transform")
struct FourierTransformTests {
  @Test("equals the sum that defines it")
  func definition() {
    var random = TestRandom(seed: 4)
    for length in [2, 8, 30, 64] {
      let transform = FourierTransform(length: length)
      let samples = random.normal(length)
      var power = [Float](repeating: 0, count: transform.bins)
      transform.power(of: samples, into: &power)
      for bin in 0..<transform.bins {
        var real = 0.0
        var imaginary = 0.0
        for (index, sample) in samples.enumerated() {
          let angle = 2 * Double.pi * Double(bin * index) / Double(length)
          real += Double(sample) * cos(angle)
          imaginary -= Double(sample) * sin(angle)
        }
        let expected = real * real + imaginary * imaginary
        #expect(abs(Double(power[bin]) - expected) <= 1e-4 * Double(length))
      }
    }
  }

  @Test("the autocorrelation of a padded signal is the sum that defines it")
  func autocorrelation() {
    var random = TestRandom(seed: 5)
    let signal = random.normal(24)
    let padded = signal + [Float](repeating: 0, count: 40)
    var found = [Float](repeating: 0, count: 64)
    let transform = FourierTransform(length: 64)
    // Twice: the second time the inverse plan is there already.
    for _ in 0..<2 { transform.autocorrelation(of: padded, into: &found) }
    for lag in 0..<24 {
      let expected = (lag..<24).reduce(Float(0)) { $0 + signal[$1] * signal[$1 - lag] }
      #expect(abs(found[lag] - expected) < 1e-4)
    }
  }
}
