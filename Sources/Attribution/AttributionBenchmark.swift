// How many gradient draws and scored draws per second this machine gives, on random weights; the PyTorch
// script beside the benchmarks (Tests/Benchmarks/attribution_reference.py) times the same work.

import Foundation
import Kernels
import Models

/// Times the two loops of attribution.
package struct AttributionBenchmark {
  /// The sizes that both programs know.
  package enum Size: String, Sendable, CaseIterable {
    /// 6 layers, 6 heads, feed-forward 1536, 4 codebooks of 1024; 400 frames (8 s).
    case houseLM = "house-lm"
    /// 12 layers of width 768, feed-forward 3072, 4 codebooks of 2048: 98 M parameters; 400 frames.
    case lm100M = "lm-100m"
    /// 6 layers of width 256, 4 heads, 64 channels; 500 frames, 48 conditioning tokens.
    case houseDiT = "house-dit"
  }

  package struct Figures: Sendable, Codable {
    package let size: String
    package let parameters: Int
    package let threads: Int
    /// Per-draw gradients, squared and added to the Fisher information, per second.
    package let gradientDrawsPerSecond: Double
    /// Losses per second.
    package let scoredDrawsPerSecond: Double
    /// Largest resident memory so far, in bytes.
    package let peakBytes: Int
  }

  /// - Parameters:
  ///   - draws: per repetition.
  ///   - repetitions: the best counts.
  package static func run(_ size: Size, threads: Int, draws: Int, repetitions: Int) throws
    -> Figures
  {
    let (model, inputs) = make(size, draws: draws)
    let runner = LossRunner(model, threads: threads)
    let lanes = (0..<LossRunner.lanes).map { _ in
      GradientAccumulator(
        layout: model.layout, wanted: model.layout.entries.map { _ in true }, rule: .squares)
    }
    _ = runner.accumulate(Array(inputs.prefix(2)), model.parameters, into: lanes)
    var gradient = Double.infinity
    var score = Double.infinity
    let names = inputs.map { _ in "draw" }
    for _ in 0..<repetitions {
      gradient = min(
        gradient, seconds { _ = runner.accumulate(inputs, model.parameters, into: lanes) })
      score = min(
        score,
        try seconds {
          _ = try runner.losses(of: inputs.map { [$0] }, names: names, model.parameters)
        })
    }
    return Figures(
      size: size.rawValue, parameters: model.layout.count, threads: threads,
      gradientDrawsPerSecond: Double(draws) / gradient, scoredDrawsPerSecond: Double(draws) / score,
      peakBytes: peak())
  }

  private static func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    return (ContinuousClock.now - start) / .seconds(1)
  }

  private static func make(_ size: Size, draws: Int) -> (LossModel, [LossDraw]) {
    let random = CounterRandom(seed: 1)
    func numbers(_ count: Int, _ place: Int, scale: Float) -> [Float] {
      (0..<count).map { scale * (random.uniform(step: $0, codebook: place) - 0.5) }
    }
    func parameters(_ layout: ParameterLayout) -> Parameters {
      let values = WorkBuffer(count: layout.count)
      var target = values.mutableSpan
      for entry in layout.entries {
        let isNorm = entry.name.contains("norm.weight") || entry.name.hasSuffix("gamma")
        let scale = 2 / Float(entry.shape.last ?? 1).squareRoot()
        for i in entry.range {
          target[i] = isNorm ? 1 : scale * (random.uniform(step: i, codebook: 0) - 0.5)
        }
      }
      return Parameters(layout: layout, values: values)
    }
    switch size {
    case .houseLM, .lm100M:
      let isHouse = size == .houseLM
      let config = LanguageModelConfig(
        layers: isHouse ? 6 : 12, heads: isHouse ? 6 : 12, hidden: isHouse ? 384 : 768,
        feedForward: isHouse ? 1536 : 3072, codebooks: 4, cardinality: isHouse ? 1024 : 2048)
      let network = LanguageModelLoss(config: config)
      let inputs = (0..<draws).map { draw in
        let codes = (0..<4 * 400).map {
          Int32(Float(config.cardinality) * random.uniform(step: $0, codebook: 1 + draw))
        }
        return LossDraw.window(LanguageModelLoss.Window(codes: codes, frames: 400))
      }
      return (LossModel(.language(network), parameters(network.layout)), inputs)
    case .houseDiT:
      var config = DiffusionTransformerConfig(channels: 64, width: 256, depth: 6, heads: 4)
      config.conditioningWidth = 128
      config.projectsConditioning = false
      config.globalWidth = 128
      let network = DiffusionTransformer(config: config)
      let inputs = (0..<draws).map { draw in
        LossDraw.diffusion(
          DiffusionDraw(
            latent: numbers(64 * 500, 3 * draw + 1, scale: 3), frames: 500,
            time: random.uniform(step: draw, codebook: 0),
            noise: numbers(64 * 500, 3 * draw + 2, scale: 3),
            context: numbers(48 * 128, 3 * draw + 3, scale: 1), tokens: 48,
            global: numbers(128, 0, scale: 1)))
      }
      return (LossModel(.diffusion(network), parameters(network.layout)), inputs)
    }
  }

  /// `VmHWM` of /proc/self/status.
  private static func peak() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
      return (line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0) * 1024
    }
    return 0
  }
}
