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
}
