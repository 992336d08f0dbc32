// A language model of a published size with random weights, made in memory: for timing, not for music.

import Kernels
import Models

/// Published sizes, and one close to the house model's.
enum ModelSize: String, CaseIterable, Sendable {
  case house, small, medium, large

  var config: LanguageModelConfig {
    switch self {
    case .house:
      LanguageModelConfig(
        layers: 6, heads: 6, hidden: 384, feedForward: 1536, codebooks: 4, cardinality: 1024)
    case .small:
      LanguageModelConfig(
        layers: 24, heads: 16, hidden: 1024, feedForward: 4096, codebooks: 4, cardinality: 2048)
    case .medium:
      LanguageModelConfig(
        layers: 48, heads: 24, hidden: 1536, feedForward: 6144, codebooks: 4, cardinality: 2048)
    case .large:
      LanguageModelConfig(
        layers: 48, heads: 32, hidden: 2048, feedForward: 8192, codebooks: 4, cardinality: 2048)
    }
  }
}

/// Makes a model whose matrices of equal shape hold equal numbers, each in memory of its own: numbers do
/// not matter to the time of a step, places do.
func randomModel(_ config: LanguageModelConfig, format: WeightFormat, pool: ComputePool)
  -> LanguageModel
{
  let (C, F, V) = (config.hidden, config.feedForward, config.cardinality)
  var originals: [String: WeightMatrix] = [:]
  func bytes(_ rows: Int, _ columns: Int) -> Int {
    (WeightLayout(rows: rows, columns: columns, format: format).bytes + 4095) / 4096 * 4096
  }
  let total =
    config.layers * (4 * bytes(C, C) + bytes(F, C) + bytes(C, F)) + config.codebooks * bytes(V, C)
  let memory = RawBuffer(bytes: total)
  var offset = 0
  func matrix(_ rows: Int, _ columns: Int) -> WeightMatrix {
    let key = "\(rows)x\(columns)"
    let original =
      originals[key]
      ?? WeightMatrix.converted(rows: rows, columns: columns, to: format, pool: pool) {
        row, target in
        var state = UInt32(truncatingIfNeeded: row &* 7919 &+ 1)
        for i in 0..<columns {
          state = state &* 1_664_525 &+ 1_013_904_223
          target[i] = (Float(state >> 8) / 8_388_608 - 1) / Float(columns).squareRoot()
        }
      }
    originals[key] = original
    defer { offset += bytes(rows, columns) }
    unsafe original.withBytes { source in
      unsafe UnsafeMutableRawBufferPointer(start: memory.base + offset, count: source.count)
        .copyMemory(from: source)
    }
    return WeightMatrix(layout: original.layout, in: memory, offset: offset)
  }
  func norm() -> NormWeights {
    NormWeights(
      weight: FloatBuffer([Float](repeating: 1, count: C)), bias: FloatBuffer(count: C))
  }
  let layers = (0..<config.layers).map { _ in
    let (q, k, v, o) = (matrix(C, C), matrix(C, C), matrix(C, C), matrix(C, C))
    return LanguageModelLayer(
      selfAttentionNorm: norm(), queries: q, keys: k, values: v, attentionOutput: o,
      crossAttentionNorm: norm(), crossQueries: q, crossKeys: k, crossValues: v, crossOutput: o,
      feedForwardNorm: norm(), expand: matrix(F, C), contract: matrix(C, F))
  }
  let table = WeightMatrix.converted(rows: V + 1, columns: C, to: .f32, pool: pool) { row, target in
    for i in 0..<C { target[i] = Float((row &* 31 &+ i) % 17 - 8) / 8 }
  }
  return LanguageModel(
    config: config, format: format,
    embeddings: (0..<config.codebooks).map { _ in EmbeddingTable(table) }, layers: layers,
    finalNorm: norm(), outputs: (0..<config.codebooks).map { _ in matrix(V, C) })
}
