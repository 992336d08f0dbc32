import Foundation
import Kernels
import Testing

@Suite("Attention of a sequence")
struct SequenceAttentionTests {
  enum Layout: CaseIterable { case fused, queriesThenPairs, separate }

  private func rows(_ layout: Layout, _ shape: AttentionShape) -> AttentionRows {
    switch layout {
    case .fused: .fused(shape)
    case .queriesThenPairs: .queriesThenPairs(shape)
    case .separate: .separate(shape)
    }
  }

  /// The obvious attention, in double precision.
  private func twin(_ shape: AttentionShape, _ rows: AttentionRows, _ x: [Double]) -> [Double] {
    var z = [Double](repeating: 0, count: shape.queries * shape.width)
    let d = shape.dimension
    for head in 0..<shape.heads {
      let keyHead = head / (shape.heads / shape.keyHeads)
      for t in 0..<shape.queries {
        var scores: [Double] = []
        for s in 0..<(shape.isCausal ? t + 1 : shape.keys) {
          var sum = 0.0
          for i in 0..<d {
            sum +=
              x[rows.q.offset + t * rows.q.stride + head * d + i]
              * x[rows.k.offset + s * rows.k.stride + keyHead * d + i]
          }
          scores.append(exp(sum / Double(d).squareRoot()))
        }
        let total = scores.reduce(0, +)
        for (s, score) in scores.enumerated() {
          for i in 0..<d {
            z[t * shape.width + head * d + i] +=
              score / total * x[rows.v.offset + s * rows.v.stride + keyHead * d + i]
          }
        }
      }
    }
    return z
  }

  private func check(_ shape: AttentionShape, _ layout: Layout) {
    let rows = rows(layout, shape)
    var lottery = Lottery(7)
    let x = lottery.numbers(shape.projections).map { Double(Float(2 * $0)) }
    let dz = lottery.numbers(shape.queries * shape.width)
    let buffer = FloatBuffer(floats(x))
    var scratch = FloatBuffer(count: shape.scratch)
    var z = FloatBuffer(count: dz.count)
    var scratchSpan = scratch.mutableSpan
    var zSpan = z.mutableSpan
    attention(shape, qkv: buffer.span, rows: rows, scratch: &scratchSpan, into: &zSpan)
    for (found, wanted) in zip(z.array(), twin(shape, rows, x)) {
      #expect(abs(Double(found) - wanted) < 5e-6)
    }
    var dx = FloatBuffer(count: x.count)
    var dxSpan = dx.mutableSpan
    attentionGradient(
      shape, qkv: buffer.span, rows: rows, dz: FloatBuffer(floats(dz)).span,
      scratch: &scratchSpan, into: &dxSpan)
    expectGradient(
      dx.array(), of: { inner(twin(shape, rows, $0), dz) }, at: x, "\(shape) \(layout)")
  }

  @Test(
    "forward and gradient follow the twin, causal or not, in every layout",
    arguments: Layout.allCases)
  func selfAttention(layout: Layout) {
    for causal in [true, false] {
      for length in [1, 5, 13] {
        check(
          AttentionShape(
            queries: length, keys: length, heads: 3, keyHeads: 3, dimension: 4, isCausal: causal),
          layout)
      }
    }
  }

  @Test("several query heads share one key head", arguments: [Layout.queriesThenPairs, .separate])
  func grouped(layout: Layout) {
    check(
      AttentionShape(
        queries: 6, keys: 9, heads: 4, keyHeads: 2, dimension: 3, isCausal: false), layout)
  }

  @Test("more queries than one block holds")
  func blocks() {
    for causal in [true, false] {
      check(
        AttentionShape(
          queries: 141, keys: 141, heads: 1, keyHeads: 1, dimension: 2, isCausal: causal),
        .fused)
    }
  }
}
