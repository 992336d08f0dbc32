import Kernels
import TestSupport
import Testing

@Suite("Matrix product")
struct MatrixProductTests {
  private static let shapes = [
    (1, 1, 1), (3, 5, 7), (64, 64, 64), (65, 3, 130), (200, 17, 33), (17, 311, 9), (1, 500, 20),
  ]

  @Test("equals the sum that defines it, transposed or not, alone and on a pool")
  func definition() {
    var random = TestRandom(seed: 1)
    let pool = ComputePool(threads: 2)
    for (m, n, k) in Self.shapes {
      let a = random.normal(m * k)
      let b = random.normal(k * n)
      let old = random.normal(m * n)
      for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
        var wanted = old
        var bound = [Float](repeating: 0, count: m * n)
        for i in 0..<m {
          for j in 0..<n {
            var (sum, size) = (0.0, 0.0)
            for l in 0..<k {
              let term =
                Double(ta ? a[l * m + i] : a[i * k + l]) * Double(tb ? b[j * k + l] : b[l * n + j])
              sum += term
              size += abs(term)
            }
            wanted[i * n + j] = Float(0.5 * sum + 2 * Double(old[i * n + j]))
            // A float sum of k terms errs by at most about k epsilon times the sum of their sizes.
            bound[i * n + j] =
              Float(size + 2 * Double(abs(old[i * n + j]))) * Float(k + 2) * Float.ulpOfOne
          }
        }
        for pooled in [false, true] {
          var c = FloatBuffer(old)
          var span = c.mutableSpan
          if pooled {
            matrixProduct(
              a.span, transposeA: ta, b.span, transposeB: tb, m: m, n: n, k: k, alpha: 0.5, beta: 2,
              into: &span, pool: pool)
          } else {
            matrixProduct(
              a.span, transposeA: ta, b.span, transposeB: tb, m: m, n: n, k: k, alpha: 0.5, beta: 2,
              into: &span)
          }
          let got = c.array()
          for i in got.indices {
            #expect(abs(got[i] - wanted[i]) <= bound[i], "\(m) \(n) \(k) \(ta) \(tb) \(pooled)")
          }
        }
      }
    }
  }

  @Test("is the same bit for bit with one to four threads")
  func threadCounts() {
    var random = TestRandom(seed: 2)
    let (m, n, k) = (700, 90, 130)
    let a = random.normal(m * k)
    let b = random.normal(k * n)
    var results: [[UInt32]] = []
    for threads in 1...4 {
      var c = FloatBuffer(count: m * n)
      var span = c.mutableSpan
      matrixProduct(
        a.span, b.span, m: m, n: n, k: k, into: &span, pool: ComputePool(threads: threads))
      results.append(c.array().map(\.bitPattern))
    }
    #expect(results.allSatisfy { $0 == results[0] })
  }
}
