// The tiny diffusion transformers of Tests/Fixtures/attribution, and a model's folder around one of them.

import Foundation
import Kernels
import TestSupport

@testable import Models

/// A fixture of Fixtures/attribution/make_diffusion.py.
struct DiffusionGolden {
  let store: TensorStore
  let network: DiffusionTransformer
  let parameters: Parameters

  init(_ kind: String) throws {
    store = try TensorStore(file: fixture("attribution/diffusion_\(kind).safetensors"))
    let config = try DiffusionTransformerConfig(
      file: fixture("attribution/diffusion_\(kind).json"))
    (network, parameters) = try DiffusionTransformer.load(config: config, from: store)
  }

  func floats(_ name: String) throws -> [Float] { try store.tensor("golden." + name).floats() }

  func draw(masked: Bool) throws -> DiffusionDraw {
    DiffusionDraw(
      latent: try floats("latent"), frames: 11, time: try floats("t")[0],
      noise: try floats("noise"), context: try floats("context"), tokens: 5,
      global: try floats("global"), mask: masked ? try floats("mask").map { $0 > 0 } : nil)
  }
}

/// A model folder of make_diffusion.py's transformer and make_diffusion_sampler.py's conditioner.
struct DiffusionFolder {
  let store: TensorStore
  let model: DiffusionModel
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    store = try TensorStore(file: fixture("attribution/diffusion_sampler.safetensors"))
    let network = try TensorStore(file: fixture("attribution/diffusion_prepend.safetensors"))
    let named =
      network.tensors.values.filter { $0.name.hasPrefix(DiffusionTransformer.prefix) }
      + store.tensors.values.filter { $0.name.hasPrefix("conditioner.") }
    try SafetensorsWriter.write(
      try named.map { .init(name: $0.name, shape: $0.shape, floats: try $0.floats()) },
      to: folder.file("model.safetensors"))
    try SafetensorsWriter.write(
      [
        .init(name: "latent.mean", shape: [4], floats: [1, 2, 3, 4]),
        .init(name: "latent.deviation", shape: [4], floats: [1, 10, 100, 1000]),
      ], to: folder.file("normalisation.safetensors"))
    let arguments = try JSONSerialization.jsonObject(
      with: Data(contentsOf: fixture("attribution/diffusion_prepend.json")))
    let seconds: [String: Any] = [
      "id": "seconds_total", "type": "number", "config": ["min_val": 0, "max_val": 32],
    ]
    let diffusion: [String: Any] = [
      "type": "dit", "diffusion_objective": "v", "cross_attention_cond_ids": ["prompt"],
      "global_cond_ids": ["seconds_total"], "config": arguments,
    ]
    let config: [String: Any] = [
      "model": [
        "conditioning": ["configs": [seconds]], "diffusion": diffusion, "io_sample_rate": 50,
      ]
    ]
    try JSONSerialization.data(withJSONObject: config).write(to: folder.file("model_config.json"))
    model = try DiffusionModel(folder: folder.url)
  }

  /// A tensor of make_diffusion_sampler.py.
  func floats(_ name: String) throws -> [Float] { try store.tensor(name).floats() }

  /// Writes `old` of model_config.json as `new` and reads the folder again.
  func changing(_ old: String, to new: String) throws -> DiffusionModel {
    let file = folder.file("model_config.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    precondition(text.contains(old), "the configuration has no \(old)")
    try text.replacingOccurrences(of: old, with: new)
      .write(to: file, atomically: true, encoding: .utf8)
    return try DiffusionModel(folder: folder.url)
  }
}
