import RealModule
import TestSupport
import Testing

@testable import Kernels

/// eˣ − 1 in double precision.
func slowExponentialMinusOne(_ x: Double) -> Double { Double.expMinusOne(x) }

@Suite("Exponential")
struct ExponentialTests {
  private func sweep(_ range: ClosedRange<Float>) -> [Float] {
    (0...4_000).map {
      range.lowerBound + (range.upperBound - range.lowerBound) * Float($0) / 4_000
    }
  }

  @Test("eˣ − 1 is right to a few units in the last place, near 0 too")
  func minusOne() {
    for x in sweep(-30...30) + sweep(-1e-4...1e-4) + sweep(-1...1) {
      let fast = Double(exponentialMinusOne(SIMD8(repeating: x))[3])
      let exact = slowExponentialMinusOne(Double(x))
      #expect(abs(fast - exact) <= 4e-7 * abs(exact), "at \(x)")
    }
  }

  @Test("the logistic function and tanh are right and stay inside their ranges")
  func sigmoids() {
    for x in sweep(-100...100) + sweep(-2...2) {
      let one = SIMD8<Float>(repeating: x)
      let sigmoid = logistic(one)[0]
      #expect(abs(Double(sigmoid) - 1 / (1 + Double.exp(-Double(x)))) <= 2e-7, "at \(x)")
      #expect(sigmoid >= 0 && sigmoid <= 1)
      let tanh = hyperbolicTangent(one)[7]
      #expect(abs(Double(tanh) - Double.tanh(Double(x))) <= 2e-7, "at \(x)")
      #expect(abs(tanh) <= 1)
    }
  }

  @Test("ELU equals its definition for every number of elements, and keeps extremes finite")
  func elus() {
    var random = TestRandom(seed: 4)
    for count in [0, 1, 7, 8, 9, 31, 20_000] {
      let x = random.normal(count, scale: 3)
      var y = [Float](repeating: .nan, count: count)
      var output = y.mutableSpan
      elu(x.span, into: &output, pool: ComputePool(threads: 2))
      for (fast, input) in zip(y, x) {
        let exact = input > 0 ? Double(input) : slowExponentialMinusOne(Double(input))
        #expect(abs(Double(fast) - exact) <= 2e-7 * max(1, abs(exact)))
      }
    }
    let extremes: [Float] = [-1e30, -.infinity, 1e30, 0, -0.0, -1e-30]
    var y = [Float](repeating: .nan, count: extremes.count)
    var output = y.mutableSpan
    elu(extremes.span, into: &output, pool: ComputePool())
    #expect(y[0] == -1 && y[1] == -1 && y[2] == 1e30 && y[3] == 0 && y[4] == 0 && abs(y[5]) < 1e-29)
  }
}
