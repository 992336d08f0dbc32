// Small weight containers of the language model, and loading them by the checkpoint's names.

package import Kernels
internal import Reporting

/// Weight and bias of a layer norm (eps 1e-5).
package final class NormWeights: Sendable {
  private struct Storage: ~Copyable, Sendable {
    let weight: FloatBuffer  // (C)
    let bias: FloatBuffer  // (C)

    func apply(_ x: Span<Float>, into y: inout MutableSpan<Float>) {
      layerNorm(x, weight: weight.span, bias: bias.span, epsilon: 1e-5, into: &y)
    }
  }
  private let storage: Storage

  package init(weight: consuming FloatBuffer, bias: consuming FloatBuffer) {
    storage = Storage(weight: weight, bias: bias)
  }

  /// Copies of the weight and the bias (C), for gradients and tests.
  package var values: (weight: [Float], bias: [Float]) {
    (storage.weight.array(), storage.bias.array())
  }

  /// y = norm(x), rows of C floats.
  package func apply(_ x: Span<Float>, into y: inout MutableSpan<Float>) {
    storage.apply(x, into: &y)
  }
}

/// A table of embeddings, one row per id.
package struct EmbeddingTable: Sendable {
  private let table: WeightMatrix

  /// - Parameter table: (ids, C), float32.
  package init(_ table: WeightMatrix) { self.table = table }

  /// y[start …] += scale · row.
  /// - Parameter row: an id of the table; others are a mistake of the caller.
  package func add(row: Int, scale: Float, into y: inout MutableSpan<Float>, at start: Int) {
    accumulate(table.row(row), scale: scale, into: &y, at: start)
  }
}

extension WeightMatrix {
  /// The float32 weights of a tensor (rows, columns): mapped where the file holds float32, else
  /// converted once.
  /// - Throws: `SafetensorsError` when the tensor is missing, has another shape, or is not finite.
  package static func load(
    _ name: String, rows: Int, columns: Int, from store: TensorStore
  ) throws -> WeightMatrix {
    let tensor = try store.tensor(name, shape: [rows, columns])
    if tensor.type == .f32, tensor.offset % 4 == 0 {
      let base = unsafe tensor.file.pointer(at: tensor.offset).assumingMemoryBound(to: Float.self)
      let values = unsafe Span(_unsafeStart: base, count: tensor.count)
      if let index = firstNonFinite(values) {
        throw SafetensorsError.notFinite(tensor: name, index: index)
      }
      return unsafe WeightMatrix(rows: rows, columns: columns, base: base, owner: tensor.file)
    }
    return WeightMatrix(rows: rows, columns: columns, floats: try tensor.buffer())
  }
}

extension LanguageModel {
  /// Loads the decoder of a MusicGen checkpoint.
  ///
  /// - Parameters:
  ///   - store: the checkpoint's tensors.
  ///   - prefix: `decoder.` in a whole checkpoint, empty for a decoder saved alone.
  ///   - prepared: matrices in another format, of the same checkpoint; those of `store` when nil.
  /// - Throws: `SafetensorsError` naming the tensor.
  package convenience init(
    config: LanguageModelConfig, store: TensorStore, prefix: String = "decoder.",
    prepared: PreparedWeights? = nil
  ) throws {
    let (C, F, V) = (config.hidden, config.feedForward, config.cardinality)
    let body = prefix + "model.decoder."
    func matrix(_ name: String, _ rows: Int, _ columns: Int) throws -> WeightMatrix {
      if let prepared { return try prepared.matrix(name + ".weight", rows: rows, columns: columns) }
      return try WeightMatrix.load(name + ".weight", rows: rows, columns: columns, from: store)
    }
    func norm(_ name: String) throws -> NormWeights {
      NormWeights(
        weight: try store.buffer(name + ".weight", shape: [C]),
        bias: try store.buffer(name + ".bias", shape: [C]))
    }
    let layers = try (0..<config.layers).map { l in
      let at = body + "layers.\(l)."
      return LanguageModelLayer(
        selfAttentionNorm: try norm(at + "self_attn_layer_norm"),
        queries: try matrix(at + "self_attn.q_proj", C, C),
        keys: try matrix(at + "self_attn.k_proj", C, C),
        values: try matrix(at + "self_attn.v_proj", C, C),
        attentionOutput: try matrix(at + "self_attn.out_proj", C, C),
        crossAttentionNorm: try norm(at + "encoder_attn_layer_norm"),
        crossQueries: try matrix(at + "encoder_attn.q_proj", C, C),
        crossKeys: try matrix(at + "encoder_attn.k_proj", C, C),
        crossValues: try matrix(at + "encoder_attn.v_proj", C, C),
        crossOutput: try matrix(at + "encoder_attn.out_proj", C, C),
        feedForwardNorm: try norm(at + "final_layer_norm"),
        expand: try matrix(at + "fc1", F, C),
        contract: try matrix(at + "fc2", C, F))
    }
    for (surplus, what) in [
      ("layers.\(config.layers).fc1.weight", "\(config.layers) layers"),
      ("embed_tokens.\(config.codebooks).weight", "\(config.codebooks) codebooks"),
    ] where store.tensors[body + surplus] != nil {
      throw SafetensorsError.badTensor(
        file: store.place, tensor: body + surplus,
        reason: "config.json says that there are only \(what)")
    }
    self.init(
      config: config, format: prepared?.format ?? .f32,
      embeddings: try (0..<config.codebooks).map {
        EmbeddingTable(
          try WeightMatrix.load(
            body + "embed_tokens.\($0).weight", rows: V + 1, columns: C, from: store))
      },
      layers: layers,
      finalNorm: try norm(body + "layer_norm"),
      outputs: try (0..<config.codebooks).map { try matrix(prefix + "lm_heads.\($0)", V, C) })
  }

  /// The matrices of a decoder in the order in which a step reads them: name, rows, columns.
  static func matrices(
    of config: LanguageModelConfig, prefix: String = "decoder."
  ) -> [(name: String, rows: Int, columns: Int)] {
    let (C, F, V) = (config.hidden, config.feedForward, config.cardinality)
    var list: [(String, Int, Int)] = []
    for l in 0..<config.layers {
      let at = prefix + "model.decoder.layers.\(l)."
      for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
        list.append((at + "self_attn.\(name).weight", C, C))
      }
      list.append((at + "fc1.weight", F, C))
      list.append((at + "fc2.weight", C, F))
    }
    for book in 0..<config.codebooks { list.append((prefix + "lm_heads.\(book).weight", V, C)) }
    // Only read with a text: last, so that the others lie together.
    for l in 0..<config.layers {
      let at = prefix + "model.decoder.layers.\(l).encoder_attn."
      for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
        list.append((at + "\(name).weight", C, C))
      }
    }
    return list
  }

  /// How this model's streams should keep keys and values: as exact as the weights are.
  package var cacheFormat: CacheFormat {
    switch format {
    case .f32: .f32
    case .bf16: .f16
    case .int8, .int4: .int8
    }
  }

  /// Bytes of weights that one step reads: all matrices, without those of cross-attention unless there
  /// is a text. Embeddings and norms are left out, being less than a thousandth.
  package func weightBytes(withText: Bool) -> Int {
    var bytes = outputs.reduce(0) { $0 + $1.bytes }
    for layer in layers {
      bytes += layer.queries.bytes + layer.keys.bytes + layer.values.bytes
      bytes += layer.attentionOutput.bytes + layer.expand.bytes + layer.contract.bytes
      if withText { bytes += layer.crossQueries.bytes + layer.crossOutput.bytes }
    }
    return bytes
  }
}
