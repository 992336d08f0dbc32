import Foundation
import Kernels
import Models
import TestSupport
import Testing

/// The check on golden values that a plain loop over the model's own parts makes here, step by step.
@Suite("Steering check")
struct SteeringCheckTests {
  private let folder: TemporaryFolder
  private let model: LanguageModel
  private static let steps = 14

  init() throws {
    folder = try TemporaryFolder()
    model = try randomLanguageModel()
  }

  private var file: URL { folder.file("steering_smitin.safetensors") }

  /// Writes a sheet of two directions, the second one removed; `change` may spoil a tensor.
  private func write(
    mode: String = "smitin", change: (inout [String: ([Int], [Float])]) -> Void = { _ in }
  )
    throws
  {
    let config = model.config
    let (L, H, D, K) = (config.layers, config.heads, config.headDimension, config.codebooks)
    var random = TestRandom(seed: 4)
    let alpha: [Float] = [3, -2]
    func row(_ count: Int) -> [Float] { random.normal(count) }
    let (theta, bias) = (row(2 * L * H * D), row(2 * L * H))
    let sigma = row(2 * L * H).map { abs($0) + 0.2 }
    let accuracies = (0..<2).map { _ in (0..<2 * L * H).map { _ in 0.75 + 0.2 * random.uniform() } }
    let tokens = (0..<K * Self.steps).map { _ in Int32.random(in: 0..<32, using: &random) }
    let options = DirectionOptions(power: 2, hardHeads: 3, monitors: 3)
    let steering = Steering(layers: L, width: H * D)
    var (weights, thresholds): ([Float], [Float]) = ([], [])
    for j in 0..<2 {
      func part(_ values: [Float], _ width: Int) -> [Float] {
        Array(values[j * width..<(j + 1) * width])
      }
      let probes = ProbeSet(
        layers: L, heads: H, headDimension: D, theta: part(theta, L * H * D),
        bias: part(bias, L * H), sigma: part(sigma, L * H),
        accuracyTrain: part(accuracies[0], L * H), accuracyTest: part(accuracies[1], L * H),
        meanDifference: part(theta, L * H * D))
      let direction = SteeringDirection(
        probes: probes, options: options, projections: model.layers.map(\.attentionOutput),
        pool: ComputePool())
      weights += mode == "smitin" ? probes.softWeights(power: 2) : probes.hardWeights(count: 3)
      thresholds.append(direction.threshold)
      steering.place(direction, slot: j)
      steering.settings[j].strength = j == 0 ? 1 : -1
      steering.settings[j].alpha = abs(alpha[j])
      steering.settings[j].period = 2
      steering.settings[j].start = 4
      steering.settings[j].method = mode == "smitin" ? .smitin : .iti
    }
    let plain = play(tokens, nil)
    let steered = play(tokens, steering)
    var tensors: [String: ([Int], [Float])] = [
      "weight": ([2, L, H, D], theta), "bias": ([2, L, H], bias), "sigma": ([2, L, H], sigma),
      "accuracy_train": ([2, L, H], accuracies[0]), "accuracy_test": ([2, L, H], accuracies[1]),
      "soft_weight": ([2, L, H], weights), "tau": ([2], thresholds),
      "logits_plain": ([Self.steps, K, 32], plain.logits),
      "logits_steered": ([Self.steps, K, 32], steered.logits),
      "C": ([2, Self.steps], steered.readings[0] + steered.readings[1]),
      "gain": ([2, Self.steps], steered.gains[0] + steered.gains[1]),
    ]
    change(&tensors)
    try SafetensorsWriter.write(
      [.init(name: "tokens", shape: [K, Self.steps], integers: tokens)]
        + tensors.sorted { $0.key < $1.key }.map {
          .init(name: $0.key, shape: $0.value.0, floats: $0.value.1)
        }, to: file)
    try Data(
      """
      {"arguments": {"mode": "\(mode)", "alpha": [3, -2], "period": 2, "power": 2, "monitors": 3, "topk": 3,
       "start": 4}}
      """.utf8
    ).write(to: folder.file("steering_smitin.json"))
  }

  private func play(_ tokens: [Int32], _ steering: Steering?) -> (
    logits: [Float], readings: [[Float]], gains: [[Float]]
  ) {
    let stream = LanguageModelStream(config: model.config, capacity: Self.steps)
    stream.steering = steering
    let workspace = LanguageModelWorkspace(config: model.config)
    var logits: [Float] = []
    var readings: [[Float]] = [[], []]
    var gains: [[Float]] = [[], []]
    for step in 0..<Self.steps {
      steering?.decide(step: step)
      stream.feed((0..<model.config.codebooks).map { tokens[$0 * Self.steps + step] })
      model.step([stream], workspace: workspace, pool: ComputePool())
      stream.withLogits { values, _ in logits += values.array() }
      guard let steering else { continue }
      stream.withHeadOutputs { steering.observe(headOutputs: $0.span, step: step) }
      for j in 0..<2 {
        let reading = steering.state.slots[j].reading
        readings[j].append(j == 0 ? reading : 1 - reading)
        gains[j].append(steering.reading(slot: j)?.gain ?? 0)
      }
    }
    return (logits, readings, gains)
  }

  private func verdicts() throws -> [String: CheckResult.Status] {
    let sheet = try CheckSheet(file: file)
    #expect(SteeringCheck.knows(sheet))
    try SteeringCheck(model: model, sheet: sheet, file: file, pool: ComputePool()).run()
    return Dictionary(
      uniqueKeysWithValues: sheet.finish().map {
        (String($0.name.split(separator: "/")[1]), $0.status)
      })
  }

  @Test("every tensor of a true sheet agrees", arguments: ["smitin", "iti"])
  func agreement(mode: String) throws {
    try write(mode: mode)
    let verdicts = try verdicts()
    for name in ["soft_weight", "tau", "logits_plain", "logits_steered", "C", "gain"] {
      #expect(verdicts[name] == .ok, "\(name)")
    }
  }

  @Test(
    "one wrong number is found in its tensor and in no other",
    arguments: ["soft_weight", "tau", "logits_plain", "logits_steered", "C", "gain"])
  func tampering(name: String) throws {
    try write { tensors in
      guard var (shape, values) = tensors[name] else { return }
      values[values.count / 2] += 0.5
      tensors[name] = (shape, values)
      shape = []
    }
    for (tensor, status) in try verdicts() where status == .failed { #expect(tensor == name) }
    #expect(try verdicts()[name] == .failed)
  }

  @Test("probes of another model's shape, and a sheet without its arguments, are refused")
  func refusals() throws {
    try write { $0["weight"] = ([2, 3, 2, 8], [Float](repeating: 0, count: 96)) }
    #expect(throws: SafetensorsError.self) { try verdicts() }
    try write()
    try Data("{}".utf8).write(to: folder.file("steering_smitin.json"))
    #expect(throws: SafetensorsError.self) { try verdicts() }
    try FileManager.default.removeItem(at: folder.file("steering_smitin.json"))
    #expect(throws: SafetensorsError.self) { try verdicts() }
  }
}
