import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Key/value cache")
struct KeyValueCacheTests {
  /// Attention as its definition says, in double precision.
  private func slow(
    keys: [Float], values: [Float], queries: [Float], heads: Int, dimension: Int, visible: [Int]
  ) -> [Double] {
    let width = heads * dimension
    var output = [Double](repeating: 0, count: queries.count)
    for (index, seen) in visible.enumerated() {
      for head in 0..<heads {
        let q = index * width + head * dimension
        var scores = [Double](repeating: 0, count: seen)
        for p in 0..<seen {
          for d in 0..<dimension {
            scores[p] += Double(queries[q + d]) * Double(keys[p * width + head * dimension + d])
          }
          scores[p] /= Double(dimension).squareRoot()
        }
        let largest = scores.max()!
        let weights = scores.map { exp($0 - largest) }
        let total = weights.reduce(0, +)
        for p in 0..<seen {
          for d in 0..<dimension {
            output[q + d] += weights[p] / total * Double(values[p * width + head * dimension + d])
          }
        }
      }
    }
    return output
  }

  private func attend(
    _ cache: borrowing KeyValueCache, _ queries: [Float], count: Int, threads: Int = 2
  ) -> [Float] {
    var output = FloatBuffer([Float](repeating: .nan, count: queries.count))
    var span = output.mutableSpan
    cache.attend(
      queries: queries.span, count: count, layer: 1, into: &span,
      pool: ComputePool(threads: threads))
    return output.array()
  }

  /// What a stored number may differ by, relative to the largest of its position and head.
  private func resolution(_ format: CacheFormat) -> Double {
    switch format {
    case .f32: 0
    case .f16: 1.0 / 2048
    case .int8: 0.5 / 127
    }
  }

  @Test(
    "attends as the definition says, in every format and odd size",
    arguments: CacheFormat.allCases)
  func definition(format: CacheFormat) {
    var random = TestRandom(seed: 12)
    for (heads, dimension) in [(1, 1), (3, 24), (2, 32), (3, 64), (1, 80), (2, 128)] {
      let width = heads * dimension
      for (old, new) in [(0, 1), (3, 1), (15, 1), (16, 1), (31, 4), (100, 5), (47, 17)] {
        let keys = random.normal((old + new) * width)
        let values = random.normal((old + new) * width)
        let queries = random.normal(new * width)
        let wanted = slow(
          keys: keys, values: values, queries: queries, heads: heads, dimension: dimension,
          visible: (0..<new).map { old + $0 + 1 })
        withEverySet { set in
          var cache = KeyValueCache(
            layers: 2, heads: heads, headDimension: dimension, capacity: old + new, format: format
          )
          if old > 0 {
            cache.store(
              keys: Array(keys[..<(old * width)]).span,
              values: Array(values[..<(old * width)]).span,
              count: old, layer: 1)
            cache.advance(by: old)
          }
          cache.store(
            keys: Array(keys[(old * width)...]).span,
            values: Array(values[(old * width)...]).span, count: new,
            layer: 1)
          let got = attend(cache, queries, count: new)
          // A value errs by its own resolution and, through the softmax, by twice the largest error
          // of a score times the spread of the values; sizes here stay below 3.5 per number.
          let norm = Double(dimension).squareRoot()
          let score = 3.5 * 3.5 * norm * resolution(format)
          let bound =
            3.5 * (resolution(format) + 2 * min(score, 1)) + 3.5 * Double(old + new + dimension)
            * Double(Float.ulpOfOne)
          var squares = 0.0
          for i in got.indices {
            #expect(
              abs(Double(got[i]) - wanted[i]) <= bound, "\(set) \(heads) \(dimension) \(old) \(i)"
            )
            squares += (Double(got[i]) - wanted[i]) * (Double(got[i]) - wanted[i])
          }
          // Keys and values have mean square 1 and independent roundings: the mean square error is
          // far below the bound.
          let limit = 4 * resolution(format) + 1e-6
          let mean = (squares / Double(got.count)).squareRoot()
          #expect(mean <= limit, "\(set) \(heads) \(dimension) \(old)")
        }
      }
    }
  }

  @Test(
    "gives a position the same bits alone, among others, and with one to four threads",
    arguments: CacheFormat.allCases)
  func columnsAndThreads(format: CacheFormat) {
    var random = TestRandom(seed: 13)
    let (heads, dimension, positions) = (3, 64, 43)
    let width = heads * dimension
    let keys = random.normal(positions * width)
    let values = random.normal(positions * width)
    let queries = random.normal(positions * width)
    withEverySet { set in
      var together = KeyValueCache(
        layers: 2, heads: heads, headDimension: dimension, capacity: 64, format: format)
      together.store(keys: keys.span, values: values.span, count: positions, layer: 1)
      let whole = attend(together, queries, count: positions, threads: 1).map(\.bitPattern)
      for threads in 2...4 {
        let other = attend(together, queries, count: positions, threads: threads)
        #expect(other.map(\.bitPattern) == whole)
      }
      for step in [1, 2, 3, 5] {
        var cache = KeyValueCache(
          layers: 2, heads: heads, headDimension: dimension, capacity: 64, format: format)
        // Truncating and storing again changes nothing either.
        cache.store(
          keys: Array(values[..<(20 * width)]).span, values: Array(keys[..<(20 * width)]).span,
          count: 20,
          layer: 1)
        cache.advance(by: 20)
        cache.truncate(to: 0)
        var parts: [UInt32] = []
        for first in stride(from: 0, to: positions, by: step) {
          let count = min(step, positions - first)
          let range = first * width..<(first + count) * width
          cache.store(
            keys: Array(keys[range]).span, values: Array(values[range]).span, count: count,
            layer: 1)
          parts += attend(cache, Array(queries[range]), count: count).map(\.bitPattern)
          cache.advance(by: count)
        }
        #expect(parts == whole, "\(set) by \(step)")
      }
    }
  }

  @Test("attends to all positions where there is no order")
  func complete() {
    var random = TestRandom(seed: 14)
    let (heads, dimension, positions, count) = (2, 32, 21, 6)
    let width = heads * dimension
    let keys = random.normal(positions * width)
    let values = random.normal(positions * width)
    let queries = random.normal(count * width)
    var cache = KeyValueCache(
      layers: 1, heads: heads, headDimension: dimension, capacity: positions)
    cache.store(keys: keys.span, values: values.span, count: positions, layer: 0)
    cache.advance(by: positions)
    var output = FloatBuffer(count: count * width)
    var span = output.mutableSpan
    cache.attendAll(
      queries: queries.span, count: count, layer: 0, into: &span, pool: ComputePool(threads: 2))
    let wanted = slow(
      keys: keys, values: values, queries: queries, heads: heads, dimension: dimension,
      visible: [Int](repeating: positions, count: count))
    for (got, want) in zip(output.array(), wanted) { #expect(abs(Double(got) - want) < 1e-5) }
  }

  @Test("survives scores that overflow an exponential")
  func largeScores() {
    var cache = KeyValueCache(layers: 2, heads: 1, headDimension: 16, capacity: 40)
    let keys = (0..<40 * 16).map { Float($0 / 16) }
    let values = (0..<40 * 16).map { Float($0 / 16) }
    cache.store(keys: keys.span, values: values.span, count: 40, layer: 1)
    cache.advance(by: 39)
    let got = attend(cache, [Float](repeating: 100, count: 16), count: 1)
    for value in got { #expect(abs(value - 39) < 1e-4) }
  }
}
