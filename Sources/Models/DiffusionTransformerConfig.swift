// What `model_config.json` (or the constructor's arguments) says about a diffusion transformer of
// stable-audio-tools. Field names are theirs.

package import Foundation

/// The shape of the diffusion transformer.
package struct DiffusionTransformerConfig: Sendable, Equatable {
  /// How the global token reaches the layers.
  package enum GlobalConditioning: String, Sendable { case prepend, adaLN }

  /// Channels of a latent.
  package var channels: Int
  /// Width of the transformer.
  package var width: Int
  package var depth: Int
  package var heads: Int
  /// Width of the cross-attention's conditioning tokens; 0 for none.
  package var conditioningWidth = 0
  /// Width of the global conditioning vector; 0 for none.
  package var globalWidth = 0
  package var projectsConditioning = true
  package var projectsGlobal = true
  package var globalConditioning = GlobalConditioning.prepend
  /// Learned tokens before everything else.
  package var memoryTokens = 0
  /// The objective the network was trained with: `v` is the only one that is supported.
  package var objective = "v"

  /// Dimensions of one head.
  package var headDimension: Int { width / heads }
  /// Width of the conditioning tokens behind `to_cond_embed`.
  package var contextWidth: Int { projectsConditioning ? width : conditioningWidth }
  /// Key and value heads of the cross-attention.
  package var contextHeads: Int { contextWidth / headDimension }
  /// Width of the feed-forward layer.
  package var feedForward: Int { 4 * width }
  /// Rows before the latent's frames: memory tokens and a prepended global token.
  package var prefix: Int { memoryTokens + (globalConditioning == .prepend ? 1 : 0) }

  package init(channels: Int, width: Int, depth: Int, heads: Int) {
    self.channels = channels
    self.width = width
    self.depth = depth
    self.heads = heads
  }

  /// Reads `model_config.json` of stable-audio-tools, or a file with the constructor's arguments.
  /// - Throws: `ModelError`.
  package init(file: URL) throws {
    guard let data = try? Data(contentsOf: file), data.count <= 1 << 20,
      let json = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
    else {
      throw ModelError.noConfig(
        folder: file.path, reason: "it is not a readable JSON object describing a model")
    }
    var arguments = json
    var objective = json["diffusion_objective"] as? String
    if let model = json["model"] as? [String: Any] {
      guard let diffusion = model["diffusion"] as? [String: Any],
        let inner = diffusion["config"] as? [String: Any],
        diffusion["type"] as? String == "dit"
      else {
        throw ModelError.unsupported(
          folder: file.path, feature: "the model is not a diffusion transformer (type dit)",
          remedy: "use a model whose model.diffusion.type is dit")
      }
      arguments = inner
      objective = diffusion["diffusion_objective"] as? String ?? objective
    }
    func number(_ field: String, _ range: ClosedRange<Int>, default fallback: Int?) throws -> Int {
      if arguments[field] == nil, let fallback { return fallback }
      guard let value = arguments[field] as? Int, range.contains(value) else {
        throw ModelError.badValue(
          file: file.path, field: field, value: arguments[field].map { "\($0)" } ?? "missing",
          expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
      }
      return value
    }
    channels = try number("io_channels", 1...4096, default: 32)
    width = try number("embed_dim", 32...65536, default: 768)
    depth = try number("depth", 1...1024, default: 12)
    heads = try number("num_heads", 1...1024, default: 8)
    conditioningWidth = try number("cond_token_dim", 0...65536, default: 0)
    globalWidth = try number("global_cond_dim", 0...65536, default: 0)
    memoryTokens = try number("num_memory_tokens", 0...65536, default: 0)
    projectsConditioning = arguments["project_cond_tokens"] as? Bool ?? true
    projectsGlobal = arguments["project_global_cond"] as? Bool ?? true
    let kind = arguments["global_cond_type"] as? String ?? "prepend"
    guard let globalConditioning = GlobalConditioning(rawValue: kind) else {
      throw ModelError.badValue(
        file: file.path, field: "global_cond_type", value: kind, expected: "prepend or adaLN")
    }
    self.globalConditioning = globalConditioning
    self.objective = objective ?? "v"
    try refuseUnknown(arguments, file: file.path)
    try checkShape(file: file.path)
  }

  private func refuseUnknown(_ arguments: [String: Any], file: String) throws {
    let known: Set<String> = [
      "io_channels", "embed_dim", "depth", "num_heads", "cond_token_dim", "global_cond_dim",
      "num_memory_tokens", "project_cond_tokens", "project_global_cond", "global_cond_type",
      "transformer_type", "diffusion_objective",
    ]
    let harmless: [String: String] = [
      "patch_size": "1", "input_concat_dim": "0", "prepend_cond_dim": "0",
      "timestep_cond_type": "global",
    ]
    for (field, value) in arguments.sorted(by: { $0.key < $1.key }) where !known.contains(field) {
      if let neutral = harmless[field], "\(value)" == neutral { continue }
      throw ModelError.unsupported(
        folder: file, feature: "the option \(field) = \(value) is not supported",
        remedy: "use a diffusion transformer without it")
    }
    guard objective == "v" else {
      throw ModelError.unsupported(
        folder: file, feature: "the objective \(objective) is not supported",
        remedy: "use a model trained with the v-objective")
    }
  }

  private func checkShape(file: String) throws {
    guard width % heads == 0, headDimension >= 32 else {
      throw ModelError.badValue(
        file: file, field: "embed_dim", value: "\(width)",
        expected: "a multiple of num_heads (\(heads)) with at least 32 per head")
    }
    guard contextWidth == 0 || contextWidth % headDimension == 0,
      contextWidth == 0 || heads % max(contextHeads, 1) == 0
    else {
      throw ModelError.badValue(
        file: file, field: "cond_token_dim", value: "\(contextWidth)",
        expected: "a multiple of \(headDimension) whose heads divide num_heads")
    }
    guard globalWidth == 0 || projectsGlobal || globalWidth == width else {
      throw ModelError.badValue(
        file: file, field: "global_cond_dim", value: "\(globalWidth)", expected: "\(width)")
    }
  }
}
