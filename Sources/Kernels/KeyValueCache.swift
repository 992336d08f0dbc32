// Keys and values of self-attention, and the attention over them.

import RealModule

#if canImport(Glibc)
  import Glibc
#endif

/// Keys and values of every layer, one row of C = heads · headDimension per position.
///
/// `length` positions are valid in every layer; a step first writes position `length …` of each layer
/// and then calls `advance`. Truncation only moves `length`.
package struct KeyValueCache: ~Copyable {
  package let layers: Int
  package let heads: Int
  package let headDimension: Int
  /// Positions that fit.
  package let capacity: Int
  /// Valid positions.
  package private(set) var length = 0
  private var keys: FloatBuffer  // (L, capacity, C)
  private var values: FloatBuffer  // (L, capacity, C)

  package init(layers: Int, heads: Int, headDimension: Int, capacity: Int) {
    self.layers = layers
    self.heads = heads
    self.headDimension = headDimension
    self.capacity = capacity
    keys = FloatBuffer(count: layers * capacity * heads * headDimension)
    values = FloatBuffer(count: layers * capacity * heads * headDimension)
  }

  /// Forgets everything.
  package mutating func reset() { length = 0 }

  /// Keeps the first `length` positions. Never grows.
  package mutating func truncate(to length: Int) {
    precondition(
      length >= 0 && length <= self.length, "cannot truncate \(self.length) to \(length)")
    self.length = length
  }

  /// Declares `count` written positions valid, after all layers have stored theirs.
  package mutating func advance(by count: Int) {
    precondition(length + count <= capacity, "the cache holds \(capacity) positions")
    length += count
  }

  /// Stores the keys and values (count, C) of the positions `length ..< length + count` of `layer`.
  package mutating func store(
    keys newKeys: Span<Float>, values newValues: Span<Float>, count: Int, layer: Int
  ) {
    let width = heads * headDimension
    precondition(length + count <= capacity, "the cache holds \(capacity) positions")
    precondition(newKeys.count == count * width && newValues.count == count * width)
    let start = (layer * capacity + length) * width
    var k = keys.mutableSpan(start..<start + count * width)
    for i in 0..<count * width { k[i] = newKeys[i] }
    var v = values.mutableSpan(start..<start + count * width)
    for i in 0..<count * width { v[i] = newValues[i] }
  }

  /// Causal attention of `count` new positions, already stored, over all positions up to each.
  ///
  /// - Parameters:
  ///   - queries: (count, C), not yet scaled; the scale is 1/√headDimension.
  ///   - output: receives every head's output side by side (count, C): the z of METHOD 3.
  package func attend(
    queries: Span<Float>, count: Int, layer: Int, into output: inout MutableSpan<Float>,
    pool: ComputePool
  ) {
    let width = heads * headDimension
    precondition(queries.count == count * width && output.count == count * width)
    let scale = 1 / Float(headDimension).squareRoot()
    var scores = [Float](repeating: 0, count: length + count)
    for index in 0..<count {
      let visible = length + index + 1
      for head in 0..<heads {
        let q = index * width + head * headDimension
        var largest = -Float.infinity
        for position in 0..<visible {
          let k = (layer * capacity + position) * width + head * headDimension
          var sum: Float = 0
          for d in 0..<headDimension { sum += queries[q + d] * keys.span[k + d] }
          scores[position] = sum * scale
          largest = max(largest, scores[position])
        }
        var total: Float = 0
        for position in 0..<visible {
          scores[position] = Float.exp(scores[position] - largest)
          total += scores[position]
        }
        for d in 0..<headDimension { output[q + d] = 0 }
        for position in 0..<visible {
          let v = (layer * capacity + position) * width + head * headDimension
          let weight = scores[position] / total
          for d in 0..<headDimension { output[q + d] += weight * values.span[v + d] }
        }
      }
    }
  }
}
