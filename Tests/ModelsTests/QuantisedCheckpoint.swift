import Foundation
import Kernels
import Models
import TestSupport
import Testing

/// A checkpoint in a folder of its own, and its matrices in one format.
struct QuantisedCheckpoint {
  let folder: TemporaryFolder
  let store: TensorStore
  let pool = ComputePool(threads: 2)
  // Widths that are no multiple of a group, and output heads that are no multiple of sixteen.
  static let config = LanguageModelConfig(
    layers: 2, heads: 3, hidden: 72, feedForward: 100, codebooks: 2, cardinality: 50)

  init(seed: UInt64 = 1, spread: Float = 1) throws {
    folder = try TemporaryFolder()
    let file = folder.file("model.safetensors")
    try SafetensorsWriter.write(randomDecoder(Self.config, seed: seed, spread: spread), to: file)
    store = try TensorStore(file: file)
  }

  func weights(_ format: WeightFormat) throws -> PreparedWeights {
    try PreparedWeights(
      converting: store, config: Self.config, to: format,
      fingerprint: ModelFingerprint.compute(store), pool: pool)
  }

  func model(_ weights: PreparedWeights?) throws -> LanguageModel {
    try LanguageModel(config: Self.config, store: store, prepared: weights)
  }

  func read(_ file: URL, fingerprint: String? = nil, format: WeightFormat = .int8) throws
    -> PreparedWeights
  {
    try PreparedWeights(
      file: file, fingerprint: fingerprint ?? ModelFingerprint.compute(store), format: format,
      config: Self.config, pool: pool)
  }

  /// Logits of every position (steps · K · V), fed in passes of the given sizes.
  func logits(
    _ model: LanguageModel, passes: [Int], threads: Int = 2, seed: UInt64 = 5
  ) -> [Float] {
    let stream = LanguageModelStream(
      config: Self.config, capacity: 64, cacheFormat: model.cacheFormat)
    stream.keepsAllLogits = true
    let workspace = LanguageModelWorkspace(config: Self.config)
    let pool = ComputePool(threads: threads)
    var random = TestRandom(seed: seed)
    var result: [Float] = []
    for count in passes {
      for _ in 0..<count {
        stream.feed(
          (0..<Self.config.codebooks).map { _ in
            Int32.random(in: 0...Int32(Self.config.cardinality), using: &random)
          })
      }
      model.step([stream], workspace: workspace, pool: pool)
      stream.withLogits { logits, columns in
        let size = Self.config.codebooks * Self.config.cardinality
        result += logits.array().prefix(columns * size)
      }
    }
    return result
  }
}

func relativeDistance(_ a: [Float], _ b: [Float]) -> Float {
  let largest = b.map(abs).max() ?? 0
  return (zip(a, b).map { abs($0 - $1) }.max() ?? .infinity) / largest
}
