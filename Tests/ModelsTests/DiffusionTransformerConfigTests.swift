import Foundation
import Models
import TestSupport
import Testing

@Suite("Diffusion transformer's configuration")
struct DiffusionTransformerConfigTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func read(_ text: String) throws -> DiffusionTransformerConfig {
    let file = folder.file("dit.json")
    try Data(text.utf8).write(to: file)
    return try DiffusionTransformerConfig(file: file)
  }

  /// What is wrong with it; nil when it is taken.
  private func problem(_ text: String) -> String? {
    do {
      _ = try read(text)
      return nil
    } catch { return (error as? ModelError)?.problem ?? "\(error)" }
  }

  @Test("what is not said is what the constructor takes")
  func defaults() throws {
    let config = try read("{}")
    var expected = DiffusionTransformerConfig(channels: 32, width: 768, depth: 12, heads: 8)
    expected.projectsConditioning = true
    #expect(config == expected)
    #expect(config.headDimension == 96 && config.feedForward == 3072 && config.objective == "v")
  }

  @Test("a whole model's file says the same as its inner part")
  func nested() throws {
    let inner = """
      {"io_channels": 4, "embed_dim": 64, "depth": 3, "num_heads": 2, "cond_token_dim": 24,
       "global_cond_dim": 16, "num_memory_tokens": 2, "global_cond_type": "adaLN"}
      """
    let whole = """
      {"model_type": "diffusion_cond", "sample_rate": 32000,
       "model": {"diffusion": {"type": "dit", "diffusion_objective": "v", "config": \(inner)}}}
      """
    let config = try read(inner)
    #expect(try read(whole) == config)
    #expect(config.channels == 4 && config.depth == 3 && config.memoryTokens == 2)
    // A modulating global vector stands before no frame; a prepended one does.
    #expect(config.prefix == 2)
    #expect(try read(inner.replacingOccurrences(of: "adaLN", with: "prepend")).prefix == 3)
  }

  @Test("conditioning that is not projected has heads of its own")
  func unprojected() throws {
    let config = try read(
      #"{"embed_dim": 128, "num_heads": 4, "cond_token_dim": 64, "project_cond_tokens": false}"#)
    #expect(config.contextWidth == 64 && config.contextHeads == 2)
    #expect(try read(#"{"embed_dim": 128, "num_heads": 4}"#).contextWidth == 128)
  }

  @Test(
    "options that change nothing are passed over",
    arguments: [#""patch_size": 1"#, #""input_concat_dim": 0"#, #""timestep_cond_type": "global""#])
  func harmless(option: String) { #expect(problem("{\(option)}") == nil) }

  @Test(
    "options that are not understood are refused by name",
    arguments: [
      (#""attn_kwargs": {"qk_norm": "ln"}"#, "attn_kwargs"), (#""patch_size": 2"#, "patch_size"),
      (#""input_concat_dim": 4"#, "input_concat_dim"),
      (#""diffusion_objective": "rectified_flow""#, "rectified_flow"),
      (#""global_cond_type": "film""#, "global_cond_type"),
      (#""something_new": null"#, "something_new"),
    ])
  func refusals(option: String, named: String) {
    #expect(problem("{\(option)}")?.contains(named) == true)
  }

  @Test(
    "sizes that cannot be are refused by name",
    arguments: [
      (#""embed_dim": 0"#, "embed_dim"), (#""embed_dim": 1e9"#, "embed_dim"),
      (#""embed_dim": "64""#, "embed_dim"), (#""depth": 0"#, "depth"), (#""depth": -1"#, "depth"),
      (#""num_heads": 7"#, "num_heads"), (#""embed_dim": 64, "num_heads": 4"#, "embed_dim"),
      (#""io_channels": 1.5"#, "io_channels"), (#""num_memory_tokens": -1"#, "num_memory_tokens"),
      (#""cond_token_dim": 100, "project_cond_tokens": false"#, "cond_token_dim"),
      (#""global_cond_dim": 5, "project_global_cond": false"#, "global_cond_dim"),
    ])
  func sizes(option: String, named: String) {
    #expect(problem("{\(option)}")?.contains(named) == true, "\(problem("{\(option)}") ?? "taken")")
  }

  @Test("a model of another kind, and a file that is no object, are refused")
  func others() {
    let autoencoder = #"{"model": {"diffusion": {"type": "unet", "config": {}}}}"#
    #expect(problem(autoencoder)?.contains("not a diffusion transformer") == true)
    #expect(problem(#"{"model": {}}"#)?.contains("not a diffusion transformer") == true)
    for text in ["", "[]", "{", "7"] { #expect(problem(text)?.contains("not a model") == true) }
    #expect(throws: ModelError.self) {
      try DiffusionTransformerConfig(file: folder.file("nothing.json"))
    }
  }
}
