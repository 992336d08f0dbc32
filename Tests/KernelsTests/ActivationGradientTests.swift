import Foundation
import Kernels
import Testing

@Suite("Activations over sequences")
struct ActivationGradientTests {
  private let sizes = [1, 8, 29]

  private func inputs(_ count: Int) -> [Double] {
    var lottery = Lottery(5)
    return lottery.numbers(count).map { 5 * $0 }.map { Double(Float($0)) }
  }

  @Test("GELU and its derivative equal the double-precision twin to single precision")
  func geluTwin() {
    for size in sizes {
      let u = inputs(size)
      var h = FloatBuffer(count: size)
      var hSpan = h.mutableSpan
      gelu(FloatBuffer(floats(u)).span, into: &hSpan)
      for (found, u) in zip(h.array(), u) {
        #expect(abs(Double(found) - 0.5 * u * (1 + erf(u / 2.0.squareRoot()))) < 3e-6)
      }
      let dh = inputs(size).reversed().map { $0 }
      var du = FloatBuffer(count: size)
      var duSpan = du.mutableSpan
      geluGradient(FloatBuffer(floats(u)).span, dh: FloatBuffer(floats(dh)).span, into: &duSpan)
      expectGradient(
        du.array(),
        of: { u in
          zip(u, dh).reduce(0) { $0 + $1.1 * 0.5 * $1.0 * (1 + erf($1.0 / 2.0.squareRoot())) }
        },
        at: u, "GELU of \(size)")
    }
  }

  @Test("SiLU and its derivative follow the twin")
  func siluTwin() {
    for size in sizes {
      let u = inputs(size)
      let dh = inputs(size).reversed().map { $0 }
      var h = FloatBuffer(count: size)
      var hSpan = h.mutableSpan
      silu(FloatBuffer(floats(u)).span, into: &hSpan)
      for (found, u) in zip(h.array(), u) { #expect(abs(Double(found) - u / (1 + exp(-u))) < 2e-6) }
      var du = FloatBuffer(count: size)
      var duSpan = du.mutableSpan
      siluGradient(FloatBuffer(floats(u)).span, dh: FloatBuffer(floats(dh)).span, into: &duSpan)
      expectGradient(
        du.array(), of: { u in zip(u, dh).reduce(0) { $0 + $1.1 * $1.0 / (1 + exp(-$1.0)) } },
        at: u, "SiLU of \(size)")
    }
  }

  @Test("the gated unit and both its gradients follow the twin", arguments: [(1, 3), (3, 11)])
  func gated(rows: Int, width: Int) {
    let u = inputs(rows * 2 * width)
    let dh = inputs(rows * width)
    func forward(_ u: [Double]) -> [Double] {
      (0..<rows * width).map { index in
        let start = index / width * 2 * width + index % width
        return u[start] * u[start + width] / (1 + exp(-u[start + width]))
      }
    }
    var h = FloatBuffer(count: rows * width)
    var hSpan = h.mutableSpan
    gatedSilu(FloatBuffer(floats(u)).span, width: width, into: &hSpan)
    for (found, wanted) in zip(h.array(), forward(u)) {
      #expect(abs(Double(found) - wanted) < 1e-5)
    }
    var du = FloatBuffer(count: u.count)
    var duSpan = du.mutableSpan
    gatedSiluGradient(
      FloatBuffer(floats(u)).span, width: width, dh: FloatBuffer(floats(dh)).span, into: &duSpan)
    expectGradient(du.array(), of: { inner(forward($0), dh) }, at: u, "gated unit")
  }

  @Test("far outside the usual range nothing becomes infinite or not a number")
  func extremes() {
    let u: [Float] = [-1e4, -100, 0, 100, 1e4]
    var h = FloatBuffer(count: 5)
    var hSpan = h.mutableSpan
    silu(FloatBuffer(u).span, into: &hSpan)
    #expect(h.array().allSatisfy { $0.isFinite })
    #expect(h.array()[4] == 1e4)
    var g = FloatBuffer(count: 5)
    var gSpan = g.mutableSpan
    gelu(FloatBuffer(u).span, into: &gSpan)
    #expect(g.array() == [0, 0, 0, 100, 1e4])
  }
}
