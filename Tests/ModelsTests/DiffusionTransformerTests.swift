import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Diffusion transformer")
struct DiffusionTransformerTests {
  /// A fixture of Fixtures/attribution/make_diffusion.py.
  struct Golden {
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

  @Test("output and losses agree with the reference", arguments: ["prepend", "adaLN"])
  func forward(kind: String) throws {
    let golden = try Golden(kind)
    let w = DiffusionWorkspace(golden.network, frames: 11, tokens: 5)
    var output = FloatBuffer(count: 44)
    var span = output.mutableSpan
    let draw = try golden.draw(masked: false)
    golden.network.forward(
      FloatBuffer(draw.latent).span, time: draw.time, context: FloatBuffer(draw.context).span,
      global: FloatBuffer(draw.global).span, golden.parameters, w, into: &span)
    let expected = try golden.floats("output")
    let largest = expected.reduce(0) { max($0, abs($1)) }
    for (a, b) in zip(output.array(), expected) { #expect(abs(a - b) < 1e-5 * largest) }
    let loss = golden.network.loss(of: draw, golden.parameters, w)
    #expect(abs(loss / Double(try golden.floats("loss")[0]) - 1) < 1e-5)
    let masked = golden.network.loss(of: try golden.draw(masked: true), golden.parameters, w)
    #expect(abs(masked / Double(try golden.floats("loss_masked")[0]) - 1) < 1e-5)
  }

  @Test(
    "gradients agree with the reference to 1e-4 of each tensor's largest",
    arguments: ["prepend", "adaLN"], [true, false])
  func backward(kind: String, keepsLayers: Bool) throws {
    let golden = try Golden(kind)
    let layout = golden.network.layout
    let w = DiffusionWorkspace(golden.network, frames: 11, tokens: 5, keepsLayers: keepsLayers)
    let gradient = GradientAccumulator(
      layout: layout, wanted: layout.entries.map { _ in true }, rule: .sum)
    _ = golden.network.gradient(
      of: try golden.draw(masked: true), golden.parameters, w, into: gradient)
    let sums = gradient.sums.array()
    for entry in layout.entries {
      let largest = try golden.floats("largest." + entry.name)[0]
      let found = stride(from: entry.range.lowerBound, to: entry.range.upperBound, by: 37)
        .map { sums[$0] }
      for (a, b) in zip(found, try golden.floats("grad." + entry.name)) {
        #expect(abs(a - b) <= 1e-4 * largest + 1e-9, "\(kind) \(entry.name)")
      }
    }
  }

  @Test("options that are not understood are refused by name")
  func refusal() throws {
    let folder = try TemporaryFolder()
    let file = folder.file("dit.json")
    try Data(#"{"embed_dim": 64, "num_heads": 2, "attn_kwargs": {"qk_norm": "ln"}}"#.utf8)
      .write(to: file)
    #expect(throws: ModelError.self) { try DiffusionTransformerConfig(file: file) }
    do { _ = try DiffusionTransformerConfig(file: file) } catch let error as ModelError {
      #expect(error.problem.contains("attn_kwargs"))
    }
  }
}
