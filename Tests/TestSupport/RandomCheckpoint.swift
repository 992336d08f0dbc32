// Language models with random weights, small enough to run hundreds of steps in a test, and random probes.

package import Models

/// A decoder with random weights, loaded through a file in the checkpoint's layout.
///
/// - Parameter spread: multiplies the weights; larger makes logits more decided.
package func randomLanguageModel(
  _ config: LanguageModelConfig = smallConfig, seed: UInt64 = 1, spread: Float = 1
) throws -> LanguageModel {
  let folder = try TemporaryFolder()
  let file = folder.file("model.safetensors")
  try SafetensorsWriter.write(randomDecoder(config, seed: seed, spread: spread), to: file)
  return try LanguageModel(config: config, store: TensorStore(file: file))
}

/// 2 layers, 3 heads of 8, 4 codebooks of 32.
package let smallConfig = LanguageModelConfig(
  layers: 2, heads: 3, hidden: 24, feedForward: 40, codebooks: 4, cardinality: 32)

/// The tensors of a decoder under the checkpoint's names.
package func randomDecoder(_ config: LanguageModelConfig, seed: UInt64, spread: Float = 1)
  -> [SafetensorsWriter.Entry]
{
  var random = TestRandom(seed: seed)
  var entries: [SafetensorsWriter.Entry] = []
  func matrix(_ name: String, _ rows: Int, _ columns: Int) {
    let scale = spread / Float(columns).squareRoot()
    let values = random.normal(rows * columns, scale: scale)
    entries.append(.init(name: name + ".weight", shape: [rows, columns], floats: values))
  }
  func norm(_ name: String) {
    let width = config.hidden
    let weight = random.normal(width, scale: 0.1).map { 1 + $0 }
    let bias = random.normal(width, scale: 0.1)
    entries.append(.init(name: name + ".weight", shape: [width], floats: weight))
    entries.append(.init(name: name + ".bias", shape: [width], floats: bias))
  }
  let (C, F, V) = (config.hidden, config.feedForward, config.cardinality)
  let body = "decoder.model.decoder."
  for book in 0..<config.codebooks {
    matrix(body + "embed_tokens.\(book)", V + 1, C)
    matrix("decoder.lm_heads.\(book)", V, C)
  }
  for layer in 0..<config.layers {
    let at = body + "layers.\(layer)."
    for part in ["self_attn", "encoder_attn"] {
      for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
        matrix(at + "\(part).\(name)", C, C)
      }
      norm(at + "\(part)_layer_norm")
    }
    norm(at + "final_layer_norm")
    matrix(at + "fc1", F, C)
    matrix(at + "fc2", C, F)
  }
  norm(body + "layer_norm")
  return entries
}

extension TestRandom {
  /// Probes of every head, accuracies from 0.55 to 0.95.
  package mutating func probes(layers: Int, heads: Int, dimension: Int) -> ProbeSet {
    let count = layers * heads
    return ProbeSet(
      layers: layers, heads: heads, headDimension: dimension,
      theta: normal(count * dimension), bias: normal(count),
      sigma: normal(count).map { abs($0) + 0.1 },
      accuracyTrain: (0..<count).map { _ in 0.75 + 0.2 * uniform() },
      accuracyTest: (0..<count).map { _ in 0.75 + 0.2 * uniform() },
      meanDifference: normal(count * dimension))
  }
}
