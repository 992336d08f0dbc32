// Attention over a fixed set of keys and values: across to text states, and inside the T5 encoder.

import RealModule

/// z = softmax(scale · q kᵀ + bias) v for every head, without a causal mask.
///
/// - Parameters:
///   - queries: (n, C), C = heads · D, heads side by side.
///   - keys: (S, C).
///   - values: (S, C).
///   - heads: H.
///   - scale: factor on the scores; 1/√D for the decoder, 1 for T5.
///   - bias: (H, n, S), or empty for none.
///   - scores: scratch of at least S floats.
///   - z: receives (n, C).
package func attend(
  queries: Span<Float>, keys: Span<Float>, values: Span<Float>, heads: Int, scale: Float,
  bias: Span<Float>, scores: inout MutableSpan<Float>, width: Int, into z: inout MutableSpan<Float>
) {
  let n = queries.count / width
  let sources = keys.count / width
  let dimension = width / heads
  precondition(queries.count == z.count && keys.count == values.count && scores.count >= sources)
  precondition(bias.isEmpty || bias.count == heads * n * sources)
  for index in 0..<n {
    for head in 0..<heads {
      let q = index * width + head * dimension
      var largest = -Float.infinity
      for source in 0..<sources {
        let k = source * width + head * dimension
        var sum: Float = 0
        for d in 0..<dimension { sum += queries[q + d] * keys[k + d] }
        sum *= scale
        if !bias.isEmpty { sum += bias[(head * n + index) * sources + source] }
        scores[source] = sum
        largest = max(largest, sum)
      }
      var total: Float = 0
      for source in 0..<sources {
        scores[source] = Float.exp(scores[source] - largest)
        total += scores[source]
      }
      for d in 0..<dimension { z[q + d] = 0 }
      for source in 0..<sources {
        let v = source * width + head * dimension
        let weight = scores[source] / total
        for d in 0..<dimension { z[q + d] += weight * values[v + d] }
      }
    }
  }
}
