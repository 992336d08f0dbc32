// The model that is asked: its losses, who it is, and how it hears sound.

package import Foundation
import Kernels
package import Models
import Reporting

/// A model loaded for attribution.
package struct AskedModel: Sendable {
  package let name: String
  package let folder: URL
  /// 64 hexadecimal digits; see `ModelFingerprint`. For a diffusion model over all its tensors' values.
  package let fingerprint: String
  package let loss: LossModel
  /// The MusicGen checkpoint, when it is one: its codec turns sound into codes.
  package let music: MusicGen?
  /// For a diffusion model that is asked about codes: how it hears them.
  package let codes: CodesAsLatents?
  /// Steps of codes or frames of latents per second.
  package let stepsPerSecond: Double

  /// Which kind of network it is, in words.
  package var family: String { music == nil ? "latent diffusion transformer" : "language model" }

  /// The checkpoint whose codec turns sound into codes; nil where there is none.
  var listener: MusicGen? { music ?? codes?.companion }

  /// Loads a MusicGen checkpoint, or a diffusion transformer of stable-audio-tools (a folder with
  /// model_config.json and model.safetensors, or dit.json and dit.safetensors).
  /// - Parameters:
  ///   - hearsText: whether a language model's cross-attention takes part.
  ///   - companion: the MusicGen checkpoint by which a diffusion model hears codes; nil for latents only.
  /// - Throws: `ModelError`, `SafetensorsError`, `AttributionError.mismatch`.
  package init(folder: URL, name: String? = nil, hearsText: Bool = false, companion: URL? = nil)
    throws
  {
    self.folder = folder
    self.name = name ?? folder.lastPathComponent
    func existing(_ file: String) -> URL? {
      let url = folder.appendingPathComponent(file)
      return FileManager.default.fileExists(atPath: url.path) ? url : nil
    }
    let pairs = [("model_config.json", "model.safetensors"), ("dit.json", "dit.safetensors")]
    for (config, weights) in pairs {
      guard let file = existing(config), let tensors = existing(weights) else { continue }
      let store = try TensorStore(file: tensors)
      let (network, parameters) = try DiffusionTransformer.load(
        config: try DiffusionTransformerConfig(file: file), from: store)
      loss = LossModel(.diffusion(network), parameters)
      music = nil
      codes = try companion.map { try CodesAsLatents(model: folder, companion: $0) }
      fingerprint = ModelFingerprint.compute(store, prefix: DiffusionTransformer.prefix)
      stepsPerSecond = Self.latentRate(file) ?? 50
      return
    }
    let music = try MusicGen(folder: folder)
    let network = LanguageModelLoss(config: music.config.decoder, hasText: hearsText)
    loss = LossModel(
      .language(network),
      try Parameters(
        layout: network.layout, from: music.tensors, prefix: LanguageModelLoss.prefix))
    self.music = music
    codes = nil
    fingerprint = ModelFingerprint.compute(music.tensors)
    stepsPerSecond = Double(music.stepsPerSecond)
  }

  /// `model.io_sample_rate`, ours, else sample_rate / the pretransform's downsampling ratio.
  private static func latentRate(_ file: URL) -> Double? {
    guard let data = try? Data(contentsOf: file),
      let json = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any],
      let model = json["model"] as? [String: Any]
    else { return nil }
    if let rate = (model["io_sample_rate"] as? NSNumber)?.doubleValue, rate > 0 { return rate }
    guard let pretransform = model["pretransform"] as? [String: Any],
      let config = pretransform["config"] as? [String: Any],
      let ratio = (config["downsampling_ratio"] as? NSNumber)?.doubleValue, ratio > 0,
      let rate = (json["sample_rate"] as? NSNumber)?.doubleValue
    else { return nil }
    return rate / ratio
  }
}
