import Audio
import Foundation
import HouseModel
import Models
import TestSupport
import Testing

@Suite("continuo render with a diffusion model")
struct DiffusionRenderingTests {
  let folder: TemporaryFolder

  /// A transformer of random weights for the house model's codec and text encoder.
  init() throws {
    folder = try TemporaryFolder()
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
    let place = folder.file("dit")
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

  private func render(_ arguments: String) throws -> ProgramResult {
    try runProgram(
      "continuo",
      ["render", "--model", "./dit"] + arguments.split(separator: " ").map(String.init),
      in: folder.url)
  }

  @Test("the same seed makes the same music, on one thread and on two")
  func seeds() throws {
    let common = "--text jazz --seconds 0.5 --steps 4"
    for (seed, threads, name) in [(1, 1, "a"), (1, 2, "b"), (2, 2, "c")] {
      let result = try render("\(common) --seed \(seed) --threads \(threads) --out \(name).wav")
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("0.50 s of new music"))
    }
    let clips = try ["a", "b", "c"].map { try AudioFile.read(folder.file("\($0).wav")) }
    #expect(clips[0].frames == 16_000 && clips[0].peak > 0)
    #expect(clips[0].channels == clips[1].channels && clips[0].channels != clips[2].channels)
  }

  @Test("text and guidance change what is made")
  func text() throws {
    for (name, more) in [("a", ""), ("b", "--text drums"), ("c", "--text drums --guidance 1")] {
      let result = try render("--seconds 0.2 --steps 3 --seed 1 --out \(name).wav \(more)")
      #expect(result.status == 0, "\(result.errors)")
    }
    let clips = try ["a", "b", "c"].map { try AudioFile.read(folder.file("\($0).wav")).channels }
    #expect(clips[0] != clips[1] && clips[1] != clips[2])
  }

  @Test("what makes no sense with it is refused by name, and nothing is written")
  func refusals() throws {
    for (arguments, words) in [
      ("--prompt x.wav", "--prompt"), ("--weights int8", "--weights"), ("--steps 0", "--steps"),
      ("--seconds -1", "--seconds"),
    ] {
      let result = try render("\(arguments) --out no.wav")
      #expect(result.status == 64 && result.errors.contains(words), "\(result.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("no.wav").path))
    let other = try runProgram(
      "continuo", ["render", "--sampler", "ddim", "--out", "x.wav"], in: folder.url)
    #expect(other.status == 64 && other.errors.contains("--sampler"))
  }
}
