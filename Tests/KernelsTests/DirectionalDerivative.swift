// How backward kernels are tested: the derivative of a double-precision twin along a random
// direction must equal the gradient's inner product with that direction.

import Kernels
import Testing

/// Pseudo-random numbers that are the same on every machine.
struct Lottery {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> Double {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Double(state >> 11) * 0x1p-52 - 1
  }

  /// `count` numbers between −1 and 1 that float32 holds exactly.
  mutating func numbers(_ count: Int) -> [Double] {
    (0..<count).map { _ in Double(Float(next())) }
  }
}

/// Compares `gradient` at `x` with the twin's central difference along random directions.
///
/// - Parameters:
///   - loss: the double-precision twin, a number for an input.
func expectGradient(
  _ gradient: [Float], of loss: ([Double]) -> Double, at x: [Double], _ what: Comment,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  var lottery = Lottery(UInt64(x.count))
  for _ in 0..<3 {
    let direction = lottery.numbers(x.count)
    let h = 1e-6
    let ahead = loss(zip(x, direction).map { $0 + h * $1 })
    let behind = loss(zip(x, direction).map { $0 - h * $1 })
    let expected = (ahead - behind) / (2 * h)
    let terms = zip(gradient, direction).map { Double($0) * $1 }
    let size = terms.reduce(0) { $0 + $1 * $1 }.squareRoot()
    // Float32 rounding of each term, and the central difference's own error.
    #expect(
      abs(terms.reduce(0, +) - expected) <= 1e-5 * size + 1e-7, what,
      sourceLocation: sourceLocation)
  }
}

func floats(_ x: [Double]) -> [Float] { x.map { Float($0) } }

/// y = a bᵀ, the obvious way. a (m, k), b (n, k).
func slowProduct(_ a: [Double], _ b: [Double], m: Int, n: Int, k: Int) -> [Double] {
  var c = [Double](repeating: 0, count: m * n)
  for i in 0..<m {
    for j in 0..<n {
      for l in 0..<k { c[i * n + j] += a[i * k + l] * b[j * k + l] }
    }
  }
  return c
}

func inner(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
