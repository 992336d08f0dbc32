// A random network with a random codec, small enough to run faster than time in a debug build.

import Foundation
import Kernels
import TestSupport

@testable import Engine
@testable import Models

/// 2 layers of 3 heads, 4 codebooks of 32, hop 640 at 32 kHz.
func tinyInstrument(seed: UInt64 = 1, spread: Float = 1) throws -> Instrument {
  let url = fixture("EnCodec/encodec-musicgen.safetensors")
  let file = try SafetensorsFile(url: url)
  let config = try EnCodecConfig(json: Data((file.metadata["config"] ?? "").utf8))
  let codec = try EnCodec(config: config, weights: EnCodecWeights(store: TensorStore(file: url)))
  return Instrument(
    languageModel: try randomLanguageModel(seed: seed, spread: spread), codec: codec)
}

/// Random probes for that network, made into a direction.
func tinyDirection(_ instrument: Instrument, seed: UInt64 = 5, sigma: Float = 1)
  -> SteeringDirection
{
  let config = instrument.languageModel.config
  let (L, H, D) = (config.layers, config.heads, config.hidden / config.heads)
  var random = TestRandom(seed: seed)
  let accuracy = (0..<L * H).map { _ in 0.7 + 0.2 * random.uniform() }
  let probes = ProbeSet(
    layers: L, heads: H, headDimension: D, theta: random.normal(L * H * D),
    bias: random.normal(L * H), sigma: [Float](repeating: sigma, count: L * H),
    accuracyTrain: accuracy, accuracyTest: accuracy, meanDifference: random.normal(L * H * D))
  return SteeringDirection(
    probes: probes, options: DirectionOptions(monitors: 3),
    projections: instrument.languageModel.layers.map(\.attentionOutput), pool: ComputePool())
}

/// Random codes (frames, K).
func tinyPrompt(_ instrument: Instrument, frames: Int) -> [Int32] {
  var random = TestRandom(seed: 11)
  return (0..<frames * instrument.codebooks).map { _ in Int32.random(in: 0..<32, using: &random) }
}

/// Random text states of five tokens.
func tinyText(_ instrument: Instrument) -> TextContext {
  var random = TestRandom(seed: 3)
  let states = random.normal(5 * instrument.languageModel.config.hidden)
  return TextContext(states: states.span, model: instrument.languageModel, pool: ComputePool())
}
