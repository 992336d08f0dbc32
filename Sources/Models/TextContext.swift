// A text prompt as the decoder sees it: keys and values of every layer's cross-attention.

package import Kernels

/// Cross-attention keys and values of one text, made once per prompt.
///
/// Threading: one user at a time, since `attend` works in a scratch buffer of its own; it may be handed from
/// the thread that makes it to the one that plays.
package final class TextContext: @unchecked Sendable {
  /// S.
  package let positions: Int
  private let config: LanguageModelConfig
  private var storage: Storage

  private struct Storage: ~Copyable {
    var keys: FloatBuffer  // (L, S, C)
    var values: FloatBuffer  // (L, S, C)
    var scores: FloatBuffer  // (S)

    mutating func fill(
      _ l: Int, _ layer: LanguageModelLayer, states: Span<Float>, count S: Int, pool: ComputePool
    ) {
      let size = states.count
      var k = keys.mutableSpan(l * size..<(l + 1) * size)
      layer.crossKeys.multiplyMany(states, count: S, into: &k, pool: pool)
      var v = values.mutableSpan(l * size..<(l + 1) * size)
      layer.crossValues.multiplyMany(states, count: S, into: &v, pool: pool)
    }

    mutating func attend(
      _ config: LanguageModelConfig, queries: Span<Float>, part: Range<Int>,
      into z: inout MutableSpan<Float>
    ) {
      var scratch = unsafe scores.heldMutableSpan(0..<scores.count)
      Kernels.attend(
        queries: queries, keys: keys.span(part), values: values.span(part), heads: config.heads,
        scale: 1 / Float(config.headDimension).squareRoot(), bias: Span(), scores: &scratch,
        width: config.hidden, into: &z)
    }
  }

  /// - Parameters:
  ///   - states: projected text states (S, C), S ≥ 1.
  ///   - model: whose cross-attention will read them.
  package init(states: Span<Float>, model: LanguageModel, pool: ComputePool) {
    config = model.config
    let C = config.hidden
    let S = states.count / C
    precondition(S > 0 && states.count == S * C, "text states of \(states.count) floats")
    positions = S
    storage = Storage(
      keys: FloatBuffer(count: config.layers * S * C),
      values: FloatBuffer(count: config.layers * S * C), scores: FloatBuffer(count: S))
    for (l, layer) in model.layers.enumerated() {
      storage.fill(l, layer, states: states, count: S, pool: pool)
    }
  }

  /// Attention of new positions (n, C) over all text positions.
  func attend(queries: Span<Float>, layer: Int, into z: inout MutableSpan<Float>) {
    let C = config.hidden
    storage.attend(
      config, queries: queries, part: layer * positions * C..<(layer + 1) * positions * C, into: &z)
  }
}
