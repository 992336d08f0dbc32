// A latent diffusion model on disk: the transformer, what conditions it, and the scale of its latents.
//
// A folder in the layout of stable-audio-tools: model_config.json, model.safetensors (`model.model.` the
// transformer, `conditioner.conditioners.ID.embedder.` numbers such as the length in seconds), and ours:
// normalisation.safetensors with `latent.mean` and `latent.deviation` per channel, by which latents were
// scaled to mean 0 and deviation 1 for training.

package import Foundation
package import Kernels

/// A diffusion transformer with its conditioners. Immutable.
package final class DiffusionModel: Sendable {
  package let folder: URL
  package let network: DiffusionTransformer
  package let parameters: Parameters
  /// Frames of latents per second.
  package let framesPerSecond: Double
  /// Mean and deviation of each latent channel.
  package let mean: [Float]
  package let deviation: [Float]
  /// Numbers that become parts of the global vector, in its order.
  private let numbers: [NumberConditioner]

  /// Conditioning tokens of a text: shorter ones are filled up with zeros, as in training.
  package static let tokens = 48

  /// Whether `folder` holds a diffusion model.
  package static func isModel(_ folder: URL) -> Bool {
    FileManager.default.fileExists(
      atPath: folder.appendingPathComponent("model_config.json").path)
  }

  /// - Throws: `ModelError`, `SafetensorsError`.
  package init(folder: URL) throws {
    self.folder = folder
    let file = folder.appendingPathComponent("model_config.json")
    let config = try DiffusionTransformerConfig(file: file)
    let store = try TensorStore(file: folder.appendingPathComponent("model.safetensors"))
    (network, parameters) = try DiffusionTransformer.load(config: config, from: store)
    let scale = try TensorStore(file: folder.appendingPathComponent("normalisation.safetensors"))
    mean = try scale.tensor("latent.mean", shape: [config.channels]).floats()
    deviation = try scale.tensor("latent.deviation", shape: [config.channels]).floats()
    guard mean.allSatisfy(\.isFinite), deviation.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw ModelError.badValue(
        file: scale.place, field: "latent.deviation", value: "not a positive number",
        expected: "positive")
    }
    let said = try ConditioningConfig(file: file)
    framesPerSecond = said.framesPerSecond
    numbers = try said.numbers.map { try NumberConditioner($0, store: store) }
    let width = numbers.reduce(0) { $0 + $1.width }
    guard width == config.globalWidth else {
      throw ModelError.badValue(
        file: file.path, field: "global_cond_dim", value: "\(config.globalWidth)",
        expected: "\(width), the width of its conditioners")
    }
  }

  /// The same model with other parameters, of the same layout.
  package func with(_ parameters: Parameters) -> DiffusionModel {
    precondition(parameters.layout == self.parameters.layout, "parameters of another network")
    return DiffusionModel(self, parameters)
  }

  private init(_ other: DiffusionModel, _ parameters: Parameters) {
    folder = other.folder
    network = other.network
    self.parameters = parameters
    framesPerSecond = other.framesPerSecond
    mean = other.mean
    deviation = other.deviation
    numbers = other.numbers
  }

  /// The longest music it was made for, seconds; nil without a limit.
  package var longest: Double? { numbers.first { $0.id == "seconds_total" }?.range.upperBound }

  /// The global vector (global width) of music of `seconds` from its beginning.
  package func global(seconds: Double) -> [Float] {
    numbers.flatMap { $0.embed($0.id == "seconds_total" ? seconds : 0) }
  }

  /// Latents (C, T) as the codec knows them, (T, C).
  package func denormalised(_ latent: [Float], frames: Int) -> [Float] {
    let channels = network.config.channels
    var rows = [Float](repeating: 0, count: frames * channels)
    for channel in 0..<channels {
      for t in 0..<frames {
        rows[t * channels + channel] =
          latent[channel * frames + t] * deviation[channel] + mean[channel]
      }
    }
    return rows
  }
}

/// The network's output under guidance: without the text, and away from that towards with it.
/// Used from one thread.
package final class GuidedVelocity {
  private let model: DiffusionModel
  private let frames: Int
  private let guidance: Float
  private let context: [Float]
  private let global: [Float]
  private let pool: ComputePool
  private let workspaces: [DiffusionWorkspace]
  private let outputs: [WorkBuffer]

  /// - Parameters:
  ///   - frames: T of the latents.
  ///   - context: text states (tokens, conditioning width); nil for none, and then no guidance.
  ///   - global: the global vector.
  ///   - guidance: 1 for none; costs twice the time otherwise, on two threads the same.
  package init(
    model: DiffusionModel, frames: Int, context: [Float]?, global: [Float], guidance: Float,
    pool: ComputePool
  ) {
    let config = model.network.config
    self.model = model
    self.frames = frames
    self.guidance = guidance
    let empty = [Float](repeating: 0, count: DiffusionModel.tokens * config.conditioningWidth)
    self.context = config.conditioningWidth == 0 ? [] : context ?? empty
    self.global = global
    self.pool = pool
    let isGuided = context != nil && guidance != 1 && config.conditioningWidth > 0
    let tokens =
      config.conditioningWidth == 0 ? 0 : self.context.count / config.conditioningWidth
    workspaces = (0..<(isGuided ? 2 : 1)).map { _ in
      DiffusionWorkspace(model.network, frames: frames, tokens: tokens, keepsLayers: false)
    }
    outputs = workspaces.map { _ in WorkBuffer(count: config.channels * frames) }
  }

  /// - Parameters:
  ///   - x: the noisy latent (C, T).
  ///   - time: 0 … 1.
  package func callAsFunction(_ x: [Float], _ time: Double) -> [Float] {
    pool.run(chunks: workspaces.count) { lane in
      let told = lane == 0 ? context : [Float](repeating: 0, count: context.count)
      var output = outputs[lane].mutableSpan
      model.network.forward(
        FloatBuffer(x).span, time: Float(time), context: FloatBuffer(told).span,
        global: FloatBuffer(global).span, model.parameters, workspaces[lane], into: &output)
    }
    let with = outputs[0].span
    guard outputs.count == 2 else { return with.indices.map { with[$0] } }
    let without = outputs[1].span
    return with.indices.map { without[$0] + (with[$0] - without[$0]) * guidance }
  }
}

/// What model_config.json says beside the transformer's own shape.
private struct ConditioningConfig {
  struct Number {
    let id: String
    let range: ClosedRange<Double>
  }
  var framesPerSecond = 50.0
  var numbers: [Number] = []

  init(file: URL) throws {
    let data = (try? Data(contentsOf: file)) ?? Data()
    let json = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
    let model = json?["model"] as? [String: Any] ?? [:]
    let diffusion = model["diffusion"] as? [String: Any] ?? [:]
    if let rate = (model["io_sample_rate"] as? NSNumber)?.doubleValue {
      guard rate.isFinite, rate >= 1, rate <= 1000 else {
        throw ModelError.badValue(
          file: file.path, field: "io_sample_rate", value: "\(rate)",
          expected: "latent frames per second, 1 to 1000")
      }
      framesPerSecond = rate
    }
    let conditioning = model["conditioning"] as? [String: Any] ?? [:]
    let configs = conditioning["configs"] as? [[String: Any]] ?? []
    for id in diffusion["global_cond_ids"] as? [String] ?? [] {
      let found = configs.first { $0["id"] as? String == id }
      let inner = found?["config"] as? [String: Any] ?? [:]
      guard found?["type"] as? String == "number",
        let low = (inner["min_val"] as? NSNumber)?.doubleValue,
        let high = (inner["max_val"] as? NSNumber)?.doubleValue, low.isFinite, high.isFinite,
        low < high
      else {
        throw ModelError.unsupported(
          folder: file.path, feature: "the global condition “\(id)” is no number with a range",
          remedy: "use a model whose global conditions are numbers, such as seconds_total")
      }
      numbers.append(Number(id: id, range: low...high))
    }
    let told = diffusion["cross_attention_cond_ids"] as? [String] ?? []
    guard told == ["prompt"] || told.isEmpty else {
      throw ModelError.unsupported(
        folder: file.path, feature: "cross-attention reads \(told.joined(separator: ", "))",
        remedy: "use a model whose cross-attention reads the prompt alone")
    }
  }
}

/// `NumberEmbedder` of stable-audio-tools: sine and cosine at learned frequencies, then a linear layer.
private struct NumberConditioner: Sendable {
  let id: String
  let range: ClosedRange<Double>
  let width: Int
  private let frequencies: [Float]
  private let weight: [Float]  // (width, 2 · frequencies + 1)
  private let bias: [Float]

  init(_ number: ConditioningConfig.Number, store: TensorStore) throws {
    let prefix = "conditioner.conditioners.\(number.id).embedder.embedding."
    id = number.id
    range = number.range
    let bias = try store.tensor(prefix + "1.bias")
    width = bias.count
    self.bias = try bias.floats()
    frequencies = try store.tensor(prefix + "0.weights").floats()
    weight = try store.tensor(
      prefix + "1.weight", shape: [width, 2 * frequencies.count + 1]
    ).floats()
  }

  /// (width) of a value, which is brought into the range first.
  func embed(_ value: Double) -> [Float] {
    let inside = min(max(value, range.lowerBound), range.upperBound)
    let share = (inside - range.lowerBound) / (range.upperBound - range.lowerBound)
    let angles = frequencies.map { Double($0) * share * 2 * .pi }
    let features = [share] + angles.map { sin($0) } + angles.map { cos($0) }
    return (0..<width).map { row in
      var sum = Double(bias[row])
      for (column, feature) in features.enumerated() {
        sum += Double(weight[row * features.count + column]) * feature
      }
      return Float(sum)
    }
  }
}
