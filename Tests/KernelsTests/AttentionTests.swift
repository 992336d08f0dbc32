import Kernels
import RealModule
import TestSupport
import Testing

@Suite("Attention over fixed sources")
struct AttentionTests {
  /// The definition, in double precision.
  private func twin(
    _ q: [Float], _ k: [Float], _ v: [Float], heads: Int, width: Int, scale: Double, bias: [Float]
  ) -> [Double] {
    let (n, sources, d) = (q.count / width, k.count / width, width / heads)
    var z = [Double](repeating: 0, count: q.count)
    for index in 0..<n {
      for head in 0..<heads {
        let scores = (0..<sources).map { source in
          let dot = (0..<d).reduce(0.0) {
            $0 + Double(q[index * width + head * d + $1])
              * Double(k[source * width + head * d + $1])
          }
          return scale * dot
            + (bias.isEmpty ? 0 : Double(bias[(head * n + index) * sources + source]))
        }
        let weights = scores.map { Double.exp($0 - scores.max()!) }
        let total = weights.reduce(0, +)
        for source in 0..<sources {
          for i in 0..<d {
            z[index * width + head * d + i] +=
              weights[source] / total * Double(v[source * width + head * d + i])
          }
        }
      }
    }
    return z
  }

  @Test("equals its definition for odd sizes, with and without a bias")
  func definition() {
    var random = TestRandom(seed: 3)
    for (n, sources, heads, d, biased) in [
      (1, 1, 1, 1, false), (3, 5, 2, 7, false), (2, 9, 3, 8, true), (4, 17, 4, 64, true),
    ] {
      let width = heads * d
      let q = random.normal(n * width)
      let k = random.normal(sources * width)
      let v = random.normal(sources * width)
      let bias = biased ? random.normal(heads * n * sources, scale: 2) : []
      let scale = 1 / Float(d).squareRoot()
      var z = [Float](repeating: .nan, count: n * width)
      var scores = [Float](repeating: 0, count: sources)
      do {
        var target = z.mutableSpan
        var scratch = scores.mutableSpan
        attend(
          queries: q.span, keys: k.span, values: v.span, heads: heads, scale: scale,
          bias: bias.span, scores: &scratch, width: width, into: &target)
      }
      let expected = twin(q, k, v, heads: heads, width: width, scale: Double(scale), bias: bias)
      let largest = v.map(abs).max()!
      // A sum of d products, a softmax of S terms and a weighted mean: (d + S) roundings of the largest.
      let bound = Double(largest) * Double(d + sources + 8) * Double(Float.ulpOfOne)
      for (a, b) in zip(z, expected) { #expect(abs(Double(a) - b) <= bound) }
    }
  }
}
