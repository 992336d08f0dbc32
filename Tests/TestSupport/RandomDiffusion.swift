// Diffusion transformers with random weights in the layout of stable-audio-tools, to be loaded like real ones.

package import Foundation
import Models

/// Writes a model folder: `model_config.json`, `model.safetensors`, `normalisation.safetensors`.
///
/// - Parameters:
///   - arguments: of the transformer, as the configuration names them; `io_channels` latent channels,
///     the rest as small as the test likes.
///   - rate: latent frames per second.
///   - mean: of every latent channel.
///   - deviation: of every latent channel.
package func writeRandomDiffusion(
  to folder: URL, arguments: [String: Any], rate: Int, mean: Float = 1, deviation: Float = 1
) throws {
  let channels = arguments["io_channels"] as? Int ?? 0
  let fixed: [String: Any] = [
    "transformer_type": "continuous_transformer", "global_cond_type": "prepend",
    "global_cond_dim": 0, "project_cond_tokens": false,
  ]
  let diffusion: [String: Any] = [
    "type": "dit", "diffusion_objective": "v", "cross_attention_cond_ids": ["prompt"],
    "config": arguments.merging(fixed) { given, _ in given },
  ]
  let model: [String: Any] = ["model": ["diffusion": diffusion, "io_sample_rate": rate]]
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  let file = folder.appendingPathComponent("model_config.json")
  try JSONSerialization.data(withJSONObject: model).write(to: file)
  let network = DiffusionTransformer(config: try DiffusionTransformerConfig(file: file))
  var random = TestRandom(seed: 3)
  try SafetensorsWriter.write(
    network.layout.entries.map { entry in
      let size = Float(entry.shape.count > 1 ? entry.shape[1] : 16).squareRoot()
      return .init(
        name: DiffusionTransformer.prefix + entry.name, shape: entry.shape,
        floats: random.normal(entry.range.count).map { $0 / size })
    }, to: folder.appendingPathComponent("model.safetensors"))
  try SafetensorsWriter.write(
    [("latent.mean", mean), ("latent.deviation", deviation)].map {
      .init(name: $0.0, shape: [channels], floats: [Float](repeating: $0.1, count: channels))
    }, to: folder.appendingPathComponent("normalisation.safetensors"))
}
