// The golden values of steering: readings, gains and logits of a steered, teacher-forced run.
//
// Reads what `make_steering.py` writes into steering_smitin.safetensors and steering_iti.safetensors, with its
// arguments from the JSON beside it.

package import Foundation
package import Kernels
import Reporting

/// Checks a `steering_*.safetensors`.
package struct SteeringCheck {
  private let model: LanguageModel
  private let sheet: CheckSheet
  private let arguments: Arguments
  private let pool: ComputePool

  /// What the script was called with.
  private struct Arguments: Decodable {
    var mode: String
    var alpha: [Float]
    var period: Int
    var power: Float
    var monitors: Int
    var topk: Int
    var start: Int
  }

  private struct Description: Decodable { var arguments: Arguments }

  /// - Parameter file: the golden file; its arguments lie beside it, named `.json`.
  /// - Throws: `SafetensorsError.cannotOpen` when they do not.
  package init(model: LanguageModel, sheet: CheckSheet, file: URL, pool: ComputePool) throws {
    let json = file.deletingPathExtension().appendingPathExtension("json")
    guard let data = try? Data(contentsOf: json) else {
      throw SafetensorsError.cannotOpen(file: json.path, reason: "no such file")
    }
    guard let read = try? JSONDecoder().decode(Description.self, from: data) else {
      throw SafetensorsError.cannotOpen(
        file: json.path, reason: "not the arguments of a steered run")
    }
    self.model = model
    self.sheet = sheet
    self.pool = pool
    arguments = read.arguments
  }

  /// Whether the sheet is of this kind.
  package static func knows(_ sheet: CheckSheet) -> Bool {
    sheet.has("soft_weight") && sheet.has("logits_steered")
  }

  /// Compares every tensor.
  package func run() throws {
    let (L, H, D) = (model.config.layers, model.config.heads, model.config.headDimension)
    let count = L * H
    let inputs = ["tokens", "weight", "bias", "sigma", "accuracy_train", "accuracy_test"]
    for name in inputs { sheet.input(name) }
    let shape = try sheet.shape("weight")
    let directions = arguments.alpha.count
    guard shape == [directions, L, H, D], directions <= Steering.slotCount else {
      throw SafetensorsError.wrongShape(
        tensor: "weight", found: shape, expected: [directions, L, H, D])
    }
    let theta = try sheet.floats("weight")
    func part(_ name: String, _ j: Int) throws -> [Float] {
      Array(try sheet.floats(name)[j * count..<(j + 1) * count])
    }
    let isSmitin = arguments.mode == "smitin"
    let steering = Steering(layers: L, width: H * D)
    var weights: [Float] = []
    var thresholds: [Float] = []
    for j in 0..<directions {
      let own = Array(theta[j * count * D..<(j + 1) * count * D])
      let probes = ProbeSet(
        layers: L, heads: H, headDimension: D, theta: own, bias: try part("bias", j),
        sigma: try part("sigma", j), accuracyTrain: try part("accuracy_train", j),
        accuracyTest: try part("accuracy_test", j), meanDifference: own)
      let options = DirectionOptions(
        power: arguments.power, hardHeads: arguments.topk, monitors: arguments.monitors)
      let direction = SteeringDirection(
        probes: probes, options: options, projections: model.layers.map(\.attentionOutput),
        pool: pool)
      weights += isSmitin ? direction.softWeights : probes.hardWeights(count: arguments.topk)
      thresholds.append(direction.threshold)
      steering.place(direction, slot: j)
      steering.settings[j].strength = arguments.alpha[j] < 0 ? -1 : 1
      steering.settings[j].alpha = abs(arguments.alpha[j])
      steering.settings[j].method = isSmitin ? .smitin : .iti
      steering.settings[j].period = arguments.period
      steering.settings[j].start = arguments.start
    }
    try sheet.compare("soft_weight", weights)
    try sheet.compare("tau", thresholds, scale: 1)

    try sheet.compare("logits_plain", play(nil).logits)
    let steered = try play(steering)
    try sheet.compare("logits_steered", steered.logits)
    try sheet.compare("C", steered.readings, scale: 1)
    try sheet.compare("gain", steered.gains, scale: 1)
  }

  /// Feeds the golden tokens one step at a time.
  /// - Returns: logits (T, K, V); C and g (J, T).
  private func play(_ steering: Steering?) throws -> (
    logits: [Float], readings: [Float], gains: [Float]
  ) {
    let tokens = try sheet.integers("tokens")
    let K = model.config.codebooks
    let steps = tokens.count / K
    let directions = arguments.alpha.count
    let stream = LanguageModelStream(config: model.config, capacity: max(steps, 1))
    stream.steering = steering
    let workspace = LanguageModelWorkspace(config: model.config)
    var logits: [Float] = []
    var readings = [Float](repeating: .nan, count: directions * steps)
    var gains = [Float](repeating: 0, count: directions * steps)
    for step in 0..<steps {
      steering?.decide(step: step)
      let column = (0..<K).map { tokens[$0 * steps + step] }
      stream.feed(column)
      model.step([stream], workspace: workspace, pool: pool)
      stream.withLogits { values, _ in logits += values.array() }
      guard let steering else { continue }
      stream.withHeadOutputs { steering.observe(headOutputs: $0.span, step: step) }
      for j in 0..<directions {
        let isRemoval = arguments.alpha[j] < 0
        let reading = steering.state.slots[j].reading
        readings[j * steps + step] = isRemoval ? 1 - reading : reading
        gains[j * steps + step] = steering.reading(slot: j)?.gain ?? 0
      }
    }
    return (logits, readings, gains)
  }
}
