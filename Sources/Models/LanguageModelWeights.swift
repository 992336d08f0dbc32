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
  /// - Throws: `SafetensorsError` naming the tensor.
  package convenience init(
    config: LanguageModelConfig, store: TensorStore, prefix: String = "decoder."
  ) throws {
    let (C, F, V) = (config.hidden, config.feedForward, config.cardinality)
    let body = prefix + "model.decoder."
    func matrix(_ name: String, _ rows: Int, _ columns: Int) throws -> WeightMatrix {
      try WeightMatrix.load(name + ".weight", rows: rows, columns: columns, from: store)
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
    if store.tensors[body + "layers.\(config.layers).fc1.weight"] != nil {
      throw SafetensorsError.badTensor(
        file: store.place, tensor: body + "layers.\(config.layers).fc1.weight",
        reason: "config.json says that there are only \(config.layers) layers")
    }
    self.init(
      config: config, format: .f32,
      embeddings: try (0..<config.codebooks).map {
        EmbeddingTable(try matrix(body + "embed_tokens.\($0)", V + 1, C))
      },
      layers: layers,
      finalNorm: try norm(body + "layer_norm"),
      outputs: try (0..<config.codebooks).map { try matrix(prefix + "lm_heads.\($0)", V, C) })
  }
}
