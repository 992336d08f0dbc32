import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Diffusion sampler")
struct DiffusionSamplerTests {
  let store: TensorStore
  let model: DiffusionModel
  let folder: TemporaryFolder

  /// A model folder of make_diffusion.py's transformer and make_diffusion_sampler.py's conditioner.
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

  private func floats(_ name: String) throws -> [Float] { try store.tensor(name).floats() }

  @Test(
    "makes what k-diffusion and stable-audio-tools make of the same noise",
    arguments: DiffusionSampler.Method.allCases, [Float(1), 3])
  func golden(method: DiffusionSampler.Method, guidance: Float) throws {
    var sampler = DiffusionSampler()
    sampler.method = method
    sampler.steps = 9
    sampler.noiseRange = 0.03...80
    let noise = try floats("noise")
    let velocity = GuidedVelocity(
      model: model, frames: 11, context: try floats("context"), global: try floats("global"),
      guidance: guidance, pool: ComputePool(threads: 2))
    let made = sampler.sample(
      noise: { Array(noise[$0 * 44..<($0 + 1) * 44]) }, velocity: { velocity($0, $1) })
    let expected = try floats("\(method.rawValue).\(Int(guidance))")
    let largest = expected.reduce(0) { max($0, abs($1)) }
    #expect(made.count == expected.count && largest > 0.1)
    for (a, b) in zip(made, expected) { #expect(abs(a - b) < 1e-4 * largest) }
  }

  @Test("noise levels are k-diffusion's")
  func schedule() throws {
    var sampler = DiffusionSampler()
    sampler.steps = 9
    sampler.noiseRange = 0.03...80
    let expected = try floats("sigmas")
    #expect(sampler.schedule.count == expected.count)
    for (a, b) in zip(sampler.schedule, expected) { #expect(abs(Float(a) - b) <= 1e-6 * b) }
  }

  @Test(
    "the length in seconds becomes the reference's vector; what is longer counts as the longest")
  func seconds() throws {
    for (a, b) in zip(model.global(seconds: 7.5), try floats("seconds")) {
      #expect(abs(a - b) < 1e-5)
    }
    #expect(model.global(seconds: 40) == model.global(seconds: 32))
    #expect(model.longest == 32)
  }

  @Test("latents get their scale back, frame by frame")
  func scale() {
    let rows = model.denormalised([0, 1, 0, 1, 0, 1, 0, 1], frames: 2)
    #expect(rows == [1, 2, 3, 4, 2, 12, 103, 1004])
  }

  @Test("normal numbers have mean 0 and deviation 1, and depend on seed and step alone")
  func normal() {
    let random = CounterRandom(seed: 5)
    let many = random.normal(step: 0, count: 20_001)
    let mean = many.reduce(0, +) / 20_001
    let square = many.reduce(0) { $0 + $1 * $1 } / 20_001
    #expect(many.count == 20_001 && abs(mean) < 0.03 && abs(square - 1) < 0.05)
    #expect(random.normal(step: 0, count: 7) == Array(many[..<7]))
    #expect(random.normal(step: 1, count: 7) != Array(many[..<7]))
  }

  @Test("a global condition that is no number is refused by name")
  func refusal() throws {
    let file = folder.file("model_config.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    try text.replacingOccurrences(of: "\"number\"", with: "\"t5\"")
      .write(to: file, atomically: true, encoding: .utf8)
    do {
      _ = try DiffusionModel(folder: folder.url)
      Issue.record("it was accepted")
    } catch let error as ModelError {
      #expect(error.problem.contains("seconds_total"))
    }
  }
}
