// Times what steering adds to a step: eight directions, pushed at every step, all monitors read.

import Kernels
import Models

/// One measured line.
struct SteeringMeasurement: Codable {
  var weights: WeightFormat
  /// Positions in the cache of the step that it is compared with.
  var length: Int
  var directions: Int
  var monitors: Int
  /// Deciding, adding to every layer and reading, once.
  var milliseconds: Double
  /// Time over that of a step.
  var share: Double
}

/// Steering by itself, on vectors of a model's size.
struct SteeringBenchmark {
  let model: LanguageModel
  let rounds: Int
  let pool: ComputePool

  /// Times steering and compares it with the single-column steps of `steps`.
  func run(_ steps: [StepMeasurement]) -> [SteeringMeasurement] {
    let config = model.config
    let width = config.hidden
    let monitors = 16
    let direction = randomDirection(
      config, monitors: monitors,
      projections: model.layers.map(\.attentionOutput),
      pool: pool)
    let steering = Steering(layers: config.layers, width: width)
    for slot in 0..<Steering.slotCount {
      steering.place(direction, slot: slot)
      steering.settings[slot].strength = 1
      steering.settings[slot].period = 1
    }
    let z = FloatBuffer((0..<config.layers * width).map { Float($0 % 17) / 17 - 0.5 })
    var y = FloatBuffer(count: width)
    var best = Double.infinity
    for step in 0..<max(rounds * 20, 20) {
      best = min(
        best,
        BenchClock().seconds {
          steering.decide(step: step)
          var span = y.mutableSpan
          for layer in 0..<config.layers { steering.add(layer: layer, into: &span) }
          steering.observe(headOutputs: z.span, step: step)
        })
    }
    return steps.filter { $0.columns == "1" }.map { step in
      SteeringMeasurement(
        weights: step.weights, length: step.length, directions: Steering.slotCount,
        monitors: monitors, milliseconds: best * 1e3, share: best * 1e3 / step.milliseconds)
    }
  }
}

/// A direction made of random probes.
/// - Parameter projections: the model's output projections, one per layer.
func randomDirection(
  _ config: LanguageModelConfig, monitors: Int, projections: [WeightMatrix], pool: ComputePool
) -> SteeringDirection {
  let count = config.layers * config.heads
  var state: UInt64 = 1
  func value() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(state >> 40) / Float(1 << 24) - 0.5
  }
  let probes = ProbeSet(
    layers: config.layers, heads: config.heads, headDimension: config.headDimension,
    theta: (0..<count * config.headDimension).map { _ in value() },
    bias: [Float](repeating: 0, count: count), sigma: [Float](repeating: 1, count: count),
    accuracyTrain: [Float](repeating: 2, count: count),
    accuracyTest: (0..<count).map { _ in value() + 0.5 },
    meanDifference: [Float](repeating: 0, count: count * config.headDimension))
  return SteeringDirection(
    probes: probes, options: DirectionOptions(monitors: monitors), projections: projections,
    pool: pool)
}
