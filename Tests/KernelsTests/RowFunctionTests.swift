import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Activations and normalisation")
struct RowFunctionTests {
  private func applied(_ x: [Float], _ function: (inout MutableSpan<Float>) -> Void) -> [Float] {
    var buffer = FloatBuffer(x)
    var span = buffer.mutableSpan
    function(&span)
    return buffer.array()
  }

  /// −20 … 20 in small steps, denser around zero, and the extremes.
  private static let points: [Float] =
    (-20000...20000).map { Float($0) / 1000 } + (-500...500).map { Float($0) * 1e-6 }
    + [-1e30, -88, 88, 1e10, 0, -0.0, 1e-38]

  @Test("GELU is within 5e-7 of the exact one, and 2e-7 relative where it is large")
  func gelus() {
    withEverySet { set in
      for (x, y) in zip(Self.points, applied(Self.points) { gelu(&$0) }) {
        let z = Double(x)
        let wanted = 0.5 * z * erfc(-z / 2.0.squareRoot())
        #expect(abs(Double(y) - wanted) <= 5e-7 + 2e-7 * abs(wanted), "\(set) at \(x): \(y)")
      }
    }
  }

  @Test("ELU, sigmoid and tanh are within a few epsilon of the exact ones")
  func others() {
    withEverySet { set in
      for (x, y) in zip(Self.points, applied(Self.points) { elu(&$0) }) {
        let wanted = x > 0 ? Double(x) : expm1(Double(x))
        #expect(abs(Double(y) - wanted) <= 6e-7 * abs(wanted) + 1e-37, "\(set) elu \(x): \(y)")
      }
      for (x, y) in zip(Self.points, applied(Self.points) { sigmoid(&$0) }) {
        let wanted = 1 / (1 + exp(-Double(x)))
        #expect(abs(Double(y) - wanted) <= 5e-7 * wanted + 1e-37, "\(set) sigmoid \(x): \(y)")
      }
      for (x, y) in zip(Self.points, applied(Self.points) { hyperbolicTangent(&$0) }) {
        let wanted = tanh(Double(x))
        #expect(abs(Double(y) - wanted) <= 2e-6 * abs(wanted) + 1e-37, "\(set) tanh \(x): \(y)")
      }
      #expect(applied([-2, 0, 3]) { relu(&$0) } == [0, 0, 3])
    }
  }

  @Test("softmax adds up to one and keeps the ratios, for any length and offset")
  func softmaxes() {
    var random = TestRandom(seed: 15)
    withEverySet { set in
      for count in [1, 2, 15, 16, 17, 100, 2048] {
        for offset: Float in [0, 1000, -1000] {
          let x = random.normal(count, scale: 4).map { $0 + offset }
          let largest = Double(x.max()!)
          let wanted = x.map { exp(Double($0) - largest) }
          let total = wanted.reduce(0, +)
          for (i, y) in (applied(x) { softmax(&$0) }).enumerated() {
            // The difference from the largest is rounded before it becomes an exponent.
            let bound = 1e-6 + (largest - Double(x[i])) * Double(Float.ulpOfOne)
            let exact = wanted[i] / total
            #expect(abs(Double(y) - exact) <= bound * exact, "\(set) \(count)")
          }
        }
      }
    }
  }

  @Test("normalisations match their formulas over odd widths")
  func norms() {
    var random = TestRandom(seed: 16)
    withEverySet { set in
      for (rows, width) in [(1, 1), (2, 7), (3, 16), (2, 33), (4, 384), (2, 1000)] {
        let x = random.normal(rows * width).map { $0 + 0.5 }
        let (weight, bias) = (random.normal(width), random.normal(width))
        for (kind, hasBias) in [("layer", true), ("layer", false), ("rms", false)] {
          var y = FloatBuffer(count: rows * width)
          var span = y.mutableSpan
          if kind == "layer" {
            layerNorm(
              x.span, weight: weight.span, bias: (hasBias ? bias : []).span, epsilon: 1e-5,
              into: &span)
          } else {
            rmsNorm(x.span, weight: weight.span, epsilon: 1e-5, into: &span)
          }
          let got = y.array()
          for row in 0..<rows {
            let line = x[row * width..<(row + 1) * width].map(Double.init)
            let mean = kind == "layer" ? line.reduce(0, +) / Double(width) : 0
            let power = line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
            for i in 0..<width {
              let normal = (line[i] - mean) / (power + 1e-5).squareRoot() * Double(weight[i])
              let wanted = normal + (hasBias ? Double(bias[i]) : 0)
              // With one column the difference from the mean is rounding alone.
              let bound = 4e-6 * (abs(normal) + abs(wanted)) + 2e-6 * Double(abs(weight[i]))
              #expect(
                width == 1 && kind == "layer"
                  || abs(Double(got[row * width + i]) - wanted) <= bound,
                "\(set) \(kind) \(width) \(i)")
            }
          }
        }
      }
    }
  }
}
