import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("The model that is asked")
struct AskedModelTests {
  @Test("a language model is known by its codec; its rate is the codec's")
  func language() throws {
    let model = try AskedModel(folder: fixture("MusicGen/mono/model"))
    #expect(model.family == "language model" && model.name == "model" && model.music != nil)
    #expect(model.stepsPerSecond == Double(try #require(model.music).stepsPerSecond))
    #expect(
      try model.fingerprint
        == ModelFingerprint.compute(TensorStore(directory: fixture("MusicGen/mono/model"))))
    let named = try AskedModel(folder: fixture("MusicGen/mono/model"), name: "house")
    #expect(named.name == "house" && named.fingerprint == model.fingerprint)
  }

  @Test("text adds the cross-attention to what can be unlearned")
  func text() throws {
    let (deaf, hearing) = (
      try AskedModel(folder: fixture("MusicGen/mono/model")),
      try AskedModel(folder: fixture("MusicGen/mono/model"), hearsText: true)
    )
    func crosses(_ model: AskedModel) -> Bool {
      model.loss.layout.entries.contains { $0.name.contains("encoder_attn") }
    }
    #expect(!crosses(deaf) && crosses(hearing))
  }

  @Test("a diffusion model has latents and no codec; without a word about it 50 frames a second")
  func diffusion() throws {
    let tiny = try TinyDiffusion()
    let model = try AskedModel(folder: tiny.model)
    #expect(model.family == "latent diffusion transformer" && model.music == nil)
    #expect(model.stepsPerSecond == 50 && model.fingerprint.count == 64)
  }

  @Test(
    "its latents' rate is said, or follows from its autoencoder",
    arguments: [
      (#""model": {"io_sample_rate": 21.5, "diffusion": D}"#, 21.5),
      (
        #""sample_rate": 44100, "model": {"pretransform": {"config": {"downsampling_ratio": 2048}}, "diffusion": D}"#,
        44100.0 / 2048
      ),
      (#""sample_rate": 44100, "model": {"diffusion": D}"#, 50),
      (#""model": {"io_sample_rate": -3, "diffusion": D}"#, 50),
    ])
  func rates(text: String, rate: Double) throws {
    let tiny = try TinyDiffusion()
    let files = FileManager.default
    let arguments = try String(
      contentsOf: tiny.model.appendingPathComponent("dit.json"), encoding: .utf8)
    let diffusion = #"{"type": "dit", "diffusion_objective": "v", "config": \#(arguments)}"#
    try Data("{\(text.replacingOccurrences(of: "D}", with: diffusion + "}"))}".utf8).write(
      to: tiny.model.appendingPathComponent("model_config.json"))
    try files.moveItem(
      at: tiny.model.appendingPathComponent("dit.safetensors"),
      to: tiny.model.appendingPathComponent("model.safetensors"))
    #expect(try AskedModel(folder: tiny.model).stepsPerSecond == rate)
  }

  @Test("what is no model is refused")
  func refusals() throws {
    let tiny = try TinyDiffusion()
    #expect(throws: (any Error).self) { try AskedModel(folder: tiny.catalogue) }
    #expect(throws: (any Error).self) { try AskedModel(folder: tiny.folder.file("nowhere")) }
    try Data("{}".utf8).write(to: tiny.model.appendingPathComponent("dit.json"))
    #expect(throws: SafetensorsError.self) { try AskedModel(folder: tiny.model) }
  }
}
