// A small diffusion model in the layout of stable-audio-tools, for the tests of commands.

import Foundation
import HouseModel
import Models
import TestSupport

/// Writes it.
enum SmallDiffusion {
  /// A transformer of random weights for the house model's codec and text encoder.
  static func write(to place: URL) throws {
    let house = try MusicGenConfig(folder: HouseModel.resources.appendingPathComponent("house"))
    let channels = try EnCodecConfig(json: house.audioEncoder).hiddenSize
    let arguments: [String: Any] = [
      "io_channels": channels, "embed_dim": 128, "depth": 1, "num_heads": 4,
      "cond_token_dim": house.text.width, "project_cond_tokens": false, "global_cond_dim": 0,
      "transformer_type": "continuous_transformer", "global_cond_type": "prepend",
    ]
    let diffusion: [String: Any] = [
      "type": "dit", "diffusion_objective": "v", "cross_attention_cond_ids": ["prompt"],
      "config": arguments,
    ]
    let model: [String: Any] = ["model": ["diffusion": diffusion, "io_sample_rate": 50]]
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    let file = place.appendingPathComponent("model_config.json")
    try JSONSerialization.data(withJSONObject: model).write(to: file)
    let network = DiffusionTransformer(config: try DiffusionTransformerConfig(file: file))
    var random = TestRandom(seed: 3)
    try SafetensorsWriter.write(
      network.layout.entries.map { entry in
        let size = Float(entry.shape.count > 1 ? entry.shape[1] : 16).squareRoot()
        return .init(
          name: DiffusionTransformer.prefix + entry.name, shape: entry.shape,
          floats: random.normal(entry.range.count).map { $0 / size })
      }, to: place.appendingPathComponent("model.safetensors"))
    try SafetensorsWriter.write(
      ["latent.mean", "latent.deviation"].map {
        .init(name: $0, shape: [channels], floats: [Float](repeating: 1, count: channels))
      }, to: place.appendingPathComponent("normalisation.safetensors"))
  }
}
