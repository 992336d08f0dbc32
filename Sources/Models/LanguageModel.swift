// MusicGen's decoder language model: codes in, logits of the next codes out.
//
// Source: transformers' MusicgenForCausalLM (the checkpoint's names are kept in comments). Letters:
// L layers, H heads, D head dimension, C = H·D, F feed-forward, K codebooks, V cardinality, S text
// positions, N columns of one pass (the new steps of all streams together).
//
// What it refuses to be: it knows no delay pattern, no sampling, no thread of its own and no time.

package import Kernels

/// The weights, shared by all streams. Immutable.
package final class LanguageModel: Sendable {
  package let config: LanguageModelConfig
  package let format: WeightFormat
  /// `embed_tokens.k.weight`, K tables (V + 1, C).
  package let embeddings: [EmbeddingTable]
  package let layers: [LanguageModelLayer]
  /// `layer_norm`.
  package let finalNorm: NormWeights
  /// `lm_heads.k.weight`, K matrices (V, C).
  package let outputs: [WeightMatrix]

  package init(
    config: LanguageModelConfig, format: WeightFormat, embeddings: [EmbeddingTable],
    layers: [LanguageModelLayer], finalNorm: NormWeights, outputs: [WeightMatrix]
  ) {
    self.config = config
    self.format = format
    self.embeddings = embeddings
    self.layers = layers
    self.finalNorm = finalNorm
    self.outputs = outputs
  }

  /// Columns up to which a pass gives each column the same bits whatever its neighbours are.
  package static let exactColumns = 16

  /// Feeds every stream's pending tokens in one pass over the weights.
  ///
  /// - Parameters:
  ///   - streams: at most 16 pending tokens in all keep every stream's result independent of the
  ///     others, bit for bit; more are fed as one matrix product.
  ///   - companions: streams that take part in the same pass.
  ///
  /// Afterwards each stream with pending tokens is longer by them, and holds the head outputs of its
  /// newest position and the logits of its newest positions.
  package func step(
    _ streams: [LanguageModelStream], and companions: [LanguageModelStream] = [],
    workspace: LanguageModelWorkspace, pool: ComputePool
  ) {
    step(companions.isEmpty ? streams : streams + companions, &workspace.buffers, pool)
  }

  private func step(
    _ streams: [LanguageModelStream], _ workspace: inout LanguageModelWorkspace.Buffers,
    _ pool: ComputePool
  ) {
    let (C, F) = (config.hidden, config.feedForward)
    var n = 0
    for stream in streams { n += stream.pendingCount }
    guard n > 0 else { return }
    workspace.reserve(columns: n)
    let isExact = n <= Self.exactColumns
    func product(
      _ weights: WeightMatrix, _ x: Span<Float>, _ count: Int, _ y: inout MutableSpan<Float>
    ) {
      weights.product(x, count: count, isExact: isExact, into: &y, pool: pool)
    }

    var x = unsafe workspace.x.heldMutableSpan(0..<n * C)  // (N, C), the residual stream
    var column = 0
    for stream in streams {
      for index in 0..<stream.pendingCount {
        embed(stream, index: index, into: &x, column: column, workspace.frequencies)
        column += 1
      }
    }

    for (l, layer) in layers.enumerated() {
      do {
        var h = unsafe workspace.h.heldMutableSpan(0..<n * C)
        layer.selfAttentionNorm.apply(x.span, into: &h)
        var q = unsafe workspace.q.heldMutableSpan(0..<n * C)
        var k = unsafe workspace.k.heldMutableSpan(0..<n * C)
        var v = unsafe workspace.v.heldMutableSpan(0..<n * C)
        if isExact {
          WeightMatrix.multiply(
            layer.queries, layer.keys, layer.values, h.span, count: n, into: &q, &k, &v, pool: pool)
        } else {
          product(layer.queries, h.span, n, &q)
          product(layer.keys, h.span, n, &k)
          product(layer.values, h.span, n, &v)
        }
      }
      var start = 0
      for stream in streams where stream.pendingCount > 0 {
        let count = stream.pendingCount
        let part = start * C..<(start + count) * C
        stream.state.cache.store(
          keys: unsafe workspace.k.heldSpan(part), values: unsafe workspace.v.heldSpan(part),
          count: count, layer: l)
        var z = unsafe workspace.z.heldMutableSpan(part)
        stream.state.cache.attend(
          queries: unsafe workspace.q.heldSpan(part), count: count, layer: l, into: &z, pool: pool)
        stream.state.keepHeadOutputs(of: l, from: z.span.extracting((count - 1) * C..<count * C))
        start += count
      }
      var y = unsafe workspace.y.heldMutableSpan(0..<n * C)
      product(layer.attentionOutput, unsafe workspace.z.heldSpan(0..<n * C), n, &y)
      start = 0
      for stream in streams where stream.pendingCount > 0 {
        start += stream.pendingCount
        guard let steering = stream.steering else { continue }
        var newest = unsafe workspace.y.heldMutableSpan((start - 1) * C..<start * C)
        steering.add(layer: l, into: &newest)  // Eq. 3, behind the output projection
      }
      accumulate(y.span, into: &x)

      crossAttend(layer, l, streams, &workspace, into: &x, isExact: isExact, pool: pool)

      var h = unsafe workspace.h.heldMutableSpan(0..<n * C)
      layer.feedForwardNorm.apply(x.span, into: &h)
      var f = unsafe workspace.f.heldMutableSpan(0..<n * F)
      product(layer.expand, h.span, n, &f)
      gelu(&f)
      product(layer.contract, f.span, n, &y)
      accumulate(y.span, into: &x)
    }

    takeLogits(streams, &workspace, from: x.span, pool: pool)
    for stream in streams where stream.pendingCount > 0 { stream.state.commit() }
  }

  /// Gives every stream the logits of its newest positions, all in one pass over the output heads.
  private func takeLogits(
    _ streams: [LanguageModelStream], _ workspace: inout LanguageModelWorkspace.Buffers,
    from x: Span<Float>, pool: ComputePool
  ) {
    let (C, V) = (config.hidden, config.cardinality)
    var column = 0
    var wanted = 0
    for stream in streams where stream.pendingCount > 0 {
      let columns = stream.logitColumnsOfNextPass
      column += stream.pendingCount
      var h = unsafe workspace.h.heldMutableSpan(wanted * C..<(wanted + columns) * C)
      finalNorm.apply(x.extracting((column - columns) * C..<column * C), into: &h)
      wanted += columns
    }
    workspace.reserve(logits: wanted * V)
    for book in 0..<config.codebooks {
      var logits = unsafe workspace.logits.heldMutableSpan(0..<wanted * V)  // (columns, V)
      outputs[book].multiply(
        unsafe workspace.h.heldSpan(0..<wanted * C), count: wanted, into: &logits, pool: pool)
      var first = 0
      for stream in streams where stream.pendingCount > 0 {
        let columns = stream.logitColumnsOfNextPass
        stream.state.takeLogits(
          of: book, from: logits.span.extracting(first * V..<(first + columns) * V))
        first += columns
      }
    }
  }

  /// Sum of the K embeddings plus the position, into column `column` of `x`.
  private func embed(
    _ stream: LanguageModelStream, index: Int, into x: inout MutableSpan<Float>, column: Int,
    _ frequencies: [Float]
  ) {
    let C = config.hidden
    let scale: Float = config.scaleEmbedding ? Float(C).squareRoot() : 1
    let start = column * C
    for i in 0..<C { x[start + i] = 0 }
    for book in 0..<config.codebooks {
      embeddings[book].add(
        row: Int(stream.pendingToken(index: index, codebook: book)), scale: scale, into: &x,
        at: start)
    }
    addPosition(stream.length + index, frequencies: frequencies, into: &x, at: start)
  }

  /// Adds the cross-attention of the streams that have a text; the others' would be exactly zero.
  private func crossAttend(
    _ layer: LanguageModelLayer, _ l: Int, _ streams: [LanguageModelStream],
    _ workspace: inout LanguageModelWorkspace.Buffers, into x: inout MutableSpan<Float>,
    isExact: Bool, pool: ComputePool
  ) {
    let C = config.hidden
    var n = 0
    var column = 0
    for stream in streams where stream.pendingCount > 0 {
      let count = stream.pendingCount
      if stream.text != nil {
        var h = unsafe workspace.h.heldMutableSpan(n * C..<(n + count) * C)
        layer.crossAttentionNorm.apply(
          x.span.extracting(column * C..<(column + count) * C), into: &h)
        n += count
      }
      column += count
    }
    guard n > 0 else { return }
    do {
      var q = unsafe workspace.q.heldMutableSpan(0..<n * C)
      layer.crossQueries.product(
        unsafe workspace.h.heldSpan(0..<n * C), count: n, isExact: isExact, into: &q, pool: pool)
    }
    var start = 0
    for stream in streams where stream.pendingCount > 0 {
      guard let text = stream.text else { continue }
      let part = start * C..<(start + stream.pendingCount) * C
      var z = unsafe workspace.z.heldMutableSpan(part)
      text.attend(queries: unsafe workspace.q.heldSpan(part), layer: l, into: &z)
      start += stream.pendingCount
    }
    var y = unsafe workspace.y.heldMutableSpan(0..<n * C)
    layer.crossOutput.product(
      unsafe workspace.z.heldSpan(0..<n * C), count: n, isExact: isExact, into: &y, pool: pool)
    (start, column) = (0, 0)
    for stream in streams where stream.pendingCount > 0 {
      let count = stream.pendingCount
      if stream.text != nil {
        accumulate(
          y.span.extracting(start * C..<(start + count) * C), into: &x, at: column * C)
        start += count
      }
      column += count
    }
  }
}

extension WeightMatrix {
  /// y = x Wᵀ, exactly column by column for few columns, as one matrix product for many.
  fileprivate func product(
    _ x: Span<Float>, count: Int, isExact: Bool, into y: inout MutableSpan<Float>,
    pool: ComputePool
  ) {
    if isExact {
      multiply(x, count: count, into: &y, pool: pool)
    } else {
      multiplyMany(x, count: count, into: &y, pool: pool)
    }
  }
}

/// One layer's weights.
package struct LanguageModelLayer: Sendable {
  /// `self_attn_layer_norm`.
  package var selfAttentionNorm: NormWeights
  /// `self_attn.q_proj` (C, C).
  package var queries: WeightMatrix
  /// `self_attn.k_proj` (C, C).
  package var keys: WeightMatrix
  /// `self_attn.v_proj` (C, C).
  package var values: WeightMatrix
  /// `self_attn.out_proj` (C, C).
  package var attentionOutput: WeightMatrix
  /// `encoder_attn_layer_norm`.
  package var crossAttentionNorm: NormWeights
  /// `encoder_attn.q_proj` (C, C).
  package var crossQueries: WeightMatrix
  /// `encoder_attn.k_proj` (C, C).
  package var crossKeys: WeightMatrix
  /// `encoder_attn.v_proj` (C, C).
  package var crossValues: WeightMatrix
  /// `encoder_attn.out_proj` (C, C).
  package var crossOutput: WeightMatrix
  /// `final_layer_norm`.
  package var feedForwardNorm: NormWeights
  /// `fc1` (F, C).
  package var expand: WeightMatrix
  /// `fc2` (C, F).
  package var contract: WeightMatrix

  package init(
    selfAttentionNorm: NormWeights, queries: WeightMatrix, keys: WeightMatrix,
    values: WeightMatrix, attentionOutput: WeightMatrix, crossAttentionNorm: NormWeights,
    crossQueries: WeightMatrix, crossKeys: WeightMatrix, crossValues: WeightMatrix,
    crossOutput: WeightMatrix, feedForwardNorm: NormWeights, expand: WeightMatrix,
    contract: WeightMatrix
  ) {
    self.selfAttentionNorm = selfAttentionNorm
    self.queries = queries
    self.keys = keys
    self.values = values
    self.attentionOutput = attentionOutput
    self.crossAttentionNorm = crossAttentionNorm
    self.crossQueries = crossQueries
    self.crossKeys = crossKeys
    self.crossValues = crossValues
    self.crossOutput = crossOutput
    self.feedForwardNorm = feedForwardNorm
    self.expand = expand
    self.contract = contract
  }
}
