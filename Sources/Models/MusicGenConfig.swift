// What `config.json` of a MusicGen checkpoint says about its networks.
//
// Field names are the checkpoint's (transformers' MusicgenConfig). EnCodec's part is read by
// `EnCodecConfig`; here it is only passed on.

package import Foundation
package import Reporting

/// What can be wrong with a model's folder as a whole.
package enum ModelError: Explained {
  case noConfig(folder: String, reason: String)
  case unsupported(folder: String, feature: String, remedy: String)
  case badValue(file: String, field: String, value: String, expected: String)

  package var kind: FailureKind {
    if case .noConfig = self { return .noInput }
    return .data
  }
  package var problem: String {
    switch self {
    case .noConfig(let folder, let reason): "\(folder) is not a model: \(reason)"
    case .unsupported(let folder, let feature, _): "\(folder): \(printable(feature))"
    case .badValue(let file, let field, let value, let expected):
      "\(file): \(field) is \(printable(value)), but must be \(expected)"
    }
  }
  package var remedy: String {
    switch self {
    case .noConfig:
      "name a folder with config.json and model.safetensors in the Hugging Face MusicGen layout"
    case .unsupported(_, _, let remedy): remedy
    case .badValue: "check that config.json belongs to these weights"
    }
  }
}

/// The shape of the decoder language model.
package struct LanguageModelConfig: Sendable, Equatable {
  /// L.
  package var layers: Int
  /// H.
  package var heads: Int
  /// C = H · D.
  package var hidden: Int
  /// Width of the feed-forward layer.
  package var feedForward: Int
  /// K, all audio channels together.
  package var codebooks: Int
  /// V; id V is the special token.
  package var cardinality: Int
  /// 1 or 2.
  package var audioChannels: Int
  /// Embeddings are multiplied by √C when set.
  package var scaleEmbedding: Bool

  /// D.
  package var headDimension: Int { hidden / heads }

  package init(
    layers: Int, heads: Int, hidden: Int, feedForward: Int, codebooks: Int, cardinality: Int,
    audioChannels: Int = 1, scaleEmbedding: Bool = false
  ) {
    self.layers = layers
    self.heads = heads
    self.hidden = hidden
    self.feedForward = feedForward
    self.codebooks = codebooks
    self.cardinality = cardinality
    self.audioChannels = audioChannels
    self.scaleEmbedding = scaleEmbedding
  }
}

/// The shape of the T5 text encoder.
package struct TextEncoderConfig: Sendable, Equatable {
  /// Width of the states.
  package var width: Int
  /// Width of one head's keys.
  package var headDimension: Int
  package var heads: Int
  package var feedForward: Int
  package var layers: Int
  package var vocabulary: Int
  package var epsilon: Float
  package var relativeBuckets: Int
  package var relativeMaxDistance: Int
  /// The gated feed-forward layer of T5 1.1, with the tanh GELU; else plain with ReLU.
  package var isGated: Bool

  package init(
    width: Int, headDimension: Int, heads: Int, feedForward: Int, layers: Int, vocabulary: Int,
    epsilon: Float = 1e-6, relativeBuckets: Int = 32, relativeMaxDistance: Int = 128,
    isGated: Bool = false
  ) {
    self.width = width
    self.headDimension = headDimension
    self.heads = heads
    self.feedForward = feedForward
    self.layers = layers
    self.vocabulary = vocabulary
    self.epsilon = epsilon
    self.relativeBuckets = relativeBuckets
    self.relativeMaxDistance = relativeMaxDistance
    self.isGated = isGated
  }
}

/// A MusicGen checkpoint's configuration.
package struct MusicGenConfig: Sendable {
  package var decoder: LanguageModelConfig
  package var text: TextEncoderConfig
  /// The `audio_encoder` object, as JSON.
  package var audioEncoder: Data
  /// Samples per second of the codec.
  package var sampleRate: Int

  /// Reads `config.json` in `folder`.
  /// - Throws: `ModelError`.
  package init(folder: URL) throws {
    let file = folder.appendingPathComponent("config.json")
    guard let data = try? Data(contentsOf: file) else {
      throw ModelError.noConfig(folder: folder.path, reason: "it has no readable config.json")
    }
    guard data.count <= 1 << 20,
      let json = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
    else {
      throw ModelError.noConfig(folder: folder.path, reason: "its config.json is not a JSON object")
    }
    let type = json["model_type"] as? String ?? "missing"
    guard type == "musicgen" else {
      throw ModelError.unsupported(
        folder: folder.path, feature: "model type “\(type)” is not supported",
        remedy: "use a checkpoint of type musicgen")
    }
    func part(_ name: String) throws -> ConfigPart {
      guard let object = json[name] as? [String: Any] else {
        throw ModelError.badValue(
          file: file.path, field: name, value: "missing", expected: "an object")
      }
      return ConfigPart(file: file.path, name: name, object: object)
    }
    let decoder = try part("decoder")
    try decoder.expect("activation_function", "gelu")
    self.decoder = LanguageModelConfig(
      layers: try decoder.integer("num_hidden_layers", 1...1024),
      heads: try decoder.integer("num_attention_heads", 1...1024),
      hidden: try decoder.integer("hidden_size", 4...65536),
      feedForward: try decoder.integer("ffn_dim", 1...1 << 20),
      codebooks: try decoder.integer("num_codebooks", 1...64),
      cardinality: try decoder.integer("vocab_size", 2...1 << 20),
      audioChannels: try decoder.integer("audio_channels", 1...2, default: 1),
      scaleEmbedding: decoder.object["scale_embedding"] as? Bool ?? false)
    guard self.decoder.hidden % self.decoder.heads == 0, self.decoder.hidden % 2 == 0 else {
      throw ModelError.badValue(
        file: file.path, field: "decoder.hidden_size", value: "\(self.decoder.hidden)",
        expected: "even and a multiple of num_attention_heads (\(self.decoder.heads))")
    }
    guard self.decoder.codebooks % self.decoder.audioChannels == 0 else {
      throw ModelError.badValue(
        file: file.path, field: "decoder.num_codebooks", value: "\(self.decoder.codebooks)",
        expected: "a multiple of audio_channels (\(self.decoder.audioChannels))")
    }
    let text = try part("text_encoder")
    let projection = text.object["feed_forward_proj"] as? String ?? "relu"
    guard ["relu", "gated-gelu"].contains(projection) else {
      throw ModelError.badValue(
        file: file.path, field: "text_encoder.feed_forward_proj", value: projection,
        expected: "relu or gated-gelu")
    }
    self.text = TextEncoderConfig(
      width: try text.integer("d_model", 1...65536),
      headDimension: try text.integer("d_kv", 1...4096),
      heads: try text.integer("num_heads", 1...1024),
      feedForward: try text.integer("d_ff", 1...1 << 20),
      layers: try text.integer("num_layers", 0...1024),
      vocabulary: try text.integer("vocab_size", 1...1 << 24),
      epsilon: Float(text.object["layer_norm_epsilon"] as? Double ?? 1e-6),
      relativeBuckets: try text.integer("relative_attention_num_buckets", 4...4096, default: 32),
      relativeMaxDistance: try text.integer(
        "relative_attention_max_distance", 8...65536, default: 128),
      isGated: projection == "gated-gelu")
    let codec = try part("audio_encoder")
    sampleRate = try codec.integer("sampling_rate", 1000...384_000)
    audioEncoder =
      (try? JSONSerialization.data(withJSONObject: codec.object, options: .sortedKeys)) ?? Data()
  }
}

/// One object of a configuration, with checks that name the field.
private struct ConfigPart {
  let file: String
  let name: String
  let object: [String: Any]

  func integer(_ field: String, _ range: ClosedRange<Int>, default fallback: Int? = nil) throws
    -> Int
  {
    let found = object[field]
    if found == nil || found is NSNull, let fallback { return fallback }
    guard let value = found as? Int, range.contains(value) else {
      throw ModelError.badValue(
        file: file, field: "\(name).\(field)", value: found.map { "\($0)" } ?? "missing",
        expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func expect(_ field: String, _ value: String) throws {
    let found = object[field] as? String ?? value
    guard found == value else {
      throw ModelError.badValue(
        file: file, field: "\(name).\(field)", value: found, expected: value)
    }
  }
}
