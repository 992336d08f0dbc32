// The T5 encoder that turns a text's ids into states, and the projection to the decoder's width.
//
// Source: transformers' T5EncoderModel. RMS norms before each part, attention without scale but with a
// relative position bias that layer 0 owns and all layers use, no biases elsewhere. Runs once per
// prompt, so plain matrix products serve.

package import Kernels
import RealModule

/// T5 encoder weights plus `enc_to_dec_proj`.
package final class TextEncoder: Sendable {
  package let config: TextEncoderConfig
  /// C, the width after the projection.
  package let outputWidth: Int
  private let embedding: EmbeddingTable  // (vocabulary, width)
  private let layers: [Layer]
  private let finalNorm: [Float]  // (width)
  private let relativeBias: [Float]  // (buckets, heads)
  private let projection: WeightMatrix?  // (C, width)
  private let projectionBias: [Float]  // (C)

  private struct Layer: Sendable {
    var attentionNorm: [Float]
    var queries: WeightMatrix
    var keys: WeightMatrix
    var values: WeightMatrix
    var output: WeightMatrix
    var feedForwardNorm: [Float]
    /// `wi`, or `wi_0` when gated.
    var expand: WeightMatrix
    /// `wi_1` when gated.
    var gate: WeightMatrix?
    var contract: WeightMatrix
  }

  /// Loads `text_encoder.*` and `enc_to_dec_proj.*` of a MusicGen checkpoint. The projection is absent
  /// where both widths are equal.
  /// - Throws: `SafetensorsError` naming the tensor.
  package init(config: TextEncoderConfig, outputWidth: Int, store: TensorStore) throws {
    self.config = config
    self.outputWidth = outputWidth
    let (width, inner, F) = (config.width, config.heads * config.headDimension, config.feedForward)
    func matrix(_ name: String, _ rows: Int, _ columns: Int) throws -> WeightMatrix {
      try WeightMatrix.load(name + ".weight", rows: rows, columns: columns, from: store)
    }
    func norm(_ name: String) throws -> [Float] {
      try store.buffer(name + ".weight", shape: [width]).array()
    }
    let shared = "text_encoder.shared"
    let table =
      store.tensors[shared + ".weight"] == nil ? "text_encoder.encoder.embed_tokens" : shared
    embedding = EmbeddingTable(try matrix(table, config.vocabulary, width))
    layers = try (0..<config.layers).map { index in
      let block = "text_encoder.encoder.block.\(index).layer."
      let attention = block + "0.SelfAttention."
      let feed = block + "1.DenseReluDense."
      return Layer(
        attentionNorm: try norm(block + "0.layer_norm"),
        queries: try matrix(attention + "q", inner, width),
        keys: try matrix(attention + "k", inner, width),
        values: try matrix(attention + "v", inner, width),
        output: try matrix(attention + "o", width, inner),
        feedForwardNorm: try norm(block + "1.layer_norm"),
        expand: try matrix(feed + (config.isGated ? "wi_0" : "wi"), F, width),
        gate: config.isGated ? try matrix(feed + "wi_1", F, width) : nil,
        contract: try matrix(feed + "wo", width, F))
    }
    finalNorm = try norm("text_encoder.encoder.final_layer_norm")
    relativeBias =
      config.layers == 0
      ? []
      : try store.buffer(
        "text_encoder.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        shape: [config.relativeBuckets, config.heads]
      ).array()
    if width == outputWidth, store.tensors["enc_to_dec_proj.weight"] == nil {
      projection = nil
      projectionBias = []
    } else {
      projection = try matrix("enc_to_dec_proj", outputWidth, width)
      projectionBias = try store.buffer("enc_to_dec_proj.bias", shape: [outputWidth]).array()
    }
  }

  /// The encoder's last hidden states (S, width) of `ids` (S, each below the vocabulary).
  package func encode(_ ids: [Int32], pool: ComputePool) -> FloatBuffer {
    let (S, width, inner) = (ids.count, config.width, config.heads * config.headDimension)
    let F = config.feedForward
    var x = FloatBuffer(count: S * width)
    var h = FloatBuffer(count: S * width)
    var q = FloatBuffer(count: S * inner)
    var k = FloatBuffer(count: S * inner)
    var v = FloatBuffer(count: S * inner)
    var z = FloatBuffer(count: S * inner)
    var y = FloatBuffer(count: S * width)
    var f = FloatBuffer(count: S * F)
    var g = FloatBuffer(count: config.isGated ? S * F : 0)
    var scores = FloatBuffer(count: S)
    let bias = positionBias(S)
    func product(_ weights: WeightMatrix, _ x: Span<Float>, _ y: inout FloatBuffer) {
      var target = y.mutableSpan
      weights.multiplyMany(x, count: S, into: &target, pool: pool)
    }
    func norm(_ x: Span<Float>, _ weight: [Float], _ y: inout FloatBuffer) {
      var target = y.mutableSpan
      rmsNorm(x, weight: weight.span, epsilon: config.epsilon, into: &target)
    }
    do {
      var target = x.mutableSpan
      for (index, id) in ids.enumerated() {
        precondition(id >= 0 && id < config.vocabulary, "no such text id")
        embedding.add(row: Int(id), scale: 1, into: &target, at: index * width)
      }
    }
    for layer in layers {
      norm(x.span, layer.attentionNorm, &h)
      product(layer.queries, h.span, &q)
      product(layer.keys, h.span, &k)
      product(layer.values, h.span, &v)
      do {
        var target = z.mutableSpan
        var scratch = scores.mutableSpan
        attend(
          queries: q.span, keys: k.span, values: v.span, heads: config.heads, scale: 1,
          bias: bias.span, scores: &scratch, width: inner, into: &target)
      }
      product(layer.output, z.span, &y)
      do {
        var target = x.mutableSpan
        accumulate(y.span, into: &target)
      }
      norm(x.span, layer.feedForwardNorm, &h)
      product(layer.expand, h.span, &f)
      if let gate = layer.gate {
        product(gate, h.span, &g)
        var target = f.mutableSpan
        for i in 0..<S * F { target[i] = geluTanh(target[i]) * g.span[i] }
      } else {
        var target = f.mutableSpan
        relu(&target)
      }
      product(layer.contract, f.span, &y)
      var target = x.mutableSpan
      accumulate(y.span, into: &target)
    }
    norm(x.span, finalNorm, &h)
    return h
  }

  /// The states as the decoder reads them (S, C).
  package func project(_ states: borrowing FloatBuffer, pool: ComputePool) -> FloatBuffer {
    guard let projection else { return states.copy() }
    let S = states.count / config.width
    var result = FloatBuffer(count: S * outputWidth)
    var target = result.mutableSpan
    projection.multiplyMany(states.span, count: S, into: &target, pool: pool)
    for s in 0..<S {
      for c in 0..<outputWidth { target[s * outputWidth + c] += projectionBias[c] }
    }
    return result
  }

  /// Relative position bias (heads, S, S).
  private func positionBias(_ S: Int) -> [Float] {
    var bias = [Float](repeating: 0, count: config.heads * S * S)
    guard !relativeBias.isEmpty else { return bias }
    for query in 0..<S {
      for key in 0..<S {
        let bucket = Self.bucket(
          key - query, buckets: config.relativeBuckets, maxDistance: config.relativeMaxDistance)
        for head in 0..<config.heads {
          bias[(head * S + query) * S + key] = relativeBias[bucket * config.heads + head]
        }
      }
    }
    return bias
  }

  /// The bucket of a relative position, both directions: half of the buckets for each, of which half
  /// are exact and half logarithmic up to `maxDistance`.
  package static func bucket(_ relative: Int, buckets: Int, maxDistance: Int) -> Int {
    let half = buckets / 2
    let exact = half / 2
    let distance = abs(relative)
    let offset = relative > 0 ? half : 0
    guard distance >= exact else { return offset + distance }
    let share =
      Float.log(Float(distance) / Float(exact)) / Float.log(Float(maxDistance) / Float(exact))
    return offset + min(half - 1, exact + Int(share * Float(half - exact)))
  }

  /// The tanh approximation of GELU, as T5 1.1 uses it.
  private func geluTanh(_ x: Float) -> Float {
    0.5 * x * (1 + Float.tanh(0.797_884_56 * (x + 0.044715 * x * x * x)))
  }
}
