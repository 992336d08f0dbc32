import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("EnCodec weights")
struct EnCodecWeightsTests {
  @Test("weight norm is folded in, in both spellings")
  func weightNorm() throws {
    let tensors: [String: ([Int], [Float])] = [
      "a.parametrizations.weight.original0": ([2, 1, 1], [10, 2]),
      "a.parametrizations.weight.original1": ([2, 2, 1], [3, 4, 0, -5]),
      "b.weight_g": ([2, 1, 1], [10, 2]), "b.weight_v": ([2, 2, 1], [3, 4, 0, -5]),
      "c.weight": ([2, 2, 1], [3, 4, 0, -5]),
      "d.weight_g": ([1, 1, 1], [1]), "d.weight_v": ([1, 2, 1], [0, 0]),
    ]
    let weights = EnCodecWeights(prefix: "") { name in
      tensors[name].map { found in (found.0, { found.1 }) }
    }
    #expect(try weights.readWeight("a", shape: [2, 2, 1]) == [6, 8, 0, -2])
    #expect(try weights.readWeight("b", shape: [2, 2, 1]) == [6, 8, 0, -2])
    #expect(try weights.readWeight("c", shape: [2, 2, 1]) == [3, 4, 0, -5])
    #expect(throws: EnCodecError.self) { try weights.readWeight("d", shape: [1, 2, 1]) }
    #expect(throws: EnCodecError.self) { try weights.readWeight("a", shape: [2, 1, 2]) }
    #expect(throws: EnCodecError.self) { try weights.readWeight("e", shape: [2, 1, 2]) }
  }

  private var config: EnCodecConfig {
    var config = EnCodecConfig()
    config.filters = 2
    config.hiddenSize = 4
    config.codebookDimension = 4
    config.upsamplingRatios = [3, 2]
    config.codebookSize = 4
    config.samplingRate = 600
    config.targetBandwidths = [0.4]
    return config
  }

  @Test("every tensor that is missing, of another shape, or not finite is named")
  func broken() throws {
    let config = config
    #expect(config.codebooks == 2)
    let shapes = EnCodecShapes(config: config, books: 2).shapes
    let good = randomWeights(config, books: 2, seed: 1)
    _ = try EnCodec(config: config, weights: good)
    for victim in shapes.keys.sorted() {
      let found = try #require(shapes[victim])
      for kind in 0..<3 {
        let weights = EnCodecWeights { name in
          guard let shape = shapes[name] else { return nil }
          var values = [Float](repeating: 0.5, count: shape.reduce(1, *))
          if name != victim { return (shape, { values }) }
          switch kind {
          case 0: return nil
          case 1: return ([found[0] + 1] + found.dropFirst(), { values })
          default:
            values[values.count - 1] = .nan
            return (shape, { [values] in values })
          }
        }
        let error = #expect(throws: EnCodecError.self) {
          try EnCodec(config: config, weights: weights)
        }
        let isLastBook = victim.contains("layers.1.codebook") && kind == 0
        let expected =
          isLastBook
          ? "1 codebooks" : victim.hasSuffix(".weight") ? String(victim.dropLast(7)) : victim
        #expect(error?.problem.contains(expected) == true, "\(victim) \(kind)")
      }
    }
  }
}
