// A MusicGen checkpoint: the networks and how they fit together.

package import Foundation
package import Kernels

/// The networks of one checkpoint, loaded from a folder in the Hugging Face layout. Immutable.
package final class MusicGen: Sendable {
  package let folder: URL
  package let config: MusicGenConfig
  /// How its music is drawn where nobody says otherwise.
  package let sampling: ModelSampling
  package let languageModel: LanguageModel
  package let textEncoder: TextEncoder
  /// The codec, which is mono also in stereo models: each channel is coded by itself.
  package let codec: EnCodec
  /// The checkpoint's tensors, for fingerprints and preparation.
  package let tensors: TensorStore

  /// How the language model's weights were come by; nil for float32, which needs no preparation.
  package let preparation: WeightCache.Outcome?

  /// Loads `config.json` and `model.safetensors` (or shards). Float32 weights are mapped, not copied;
  /// other formats come from the cache, or are converted and kept there.
  ///
  /// - Parameters:
  ///   - weights: format of the language model's matrices. With any but float32 the codec's decoder is
  ///     kept in 16 bits, see `EnCodec`.
  ///   - cache: where prepared weights are kept.
  ///   - pool: the threads that convert and check.
  ///   - progress: called while converting with the share that is done, 0 … 1.
  /// - Throws: `ModelError`, `ModelSamplingError`, `SafetensorsError`, `EnCodecError`.
  package init(
    folder: URL, weights: WeightFormat = .f32, cache: WeightCache = WeightCache(),
    pool: ComputePool? = nil, progress: (Double) -> Void = { _ in }
  ) throws {
    self.folder = folder
    config = try MusicGenConfig(folder: folder)
    sampling = try ModelSampling(folder: folder)
    tensors = try TensorStore(directory: folder)
    if weights == .f32 {
      languageModel = try LanguageModel(config: config.decoder, store: tensors)
      preparation = nil
    } else {
      let (prepared, outcome) = try cache.weights(
        of: tensors, config: config.decoder, format: weights, pool: pool ?? ComputePool(),
        progress: progress)
      languageModel = try LanguageModel(
        config: config.decoder, store: tensors, prepared: prepared)
      preparation = outcome
    }
    textEncoder = try TextEncoder(
      config: config.text, outputWidth: config.decoder.hidden, store: tensors)
    codec = try EnCodec(
      config: EnCodecConfig(json: config.audioEncoder), weights: EnCodecWeights(store: tensors),
      compact: weights != .f32)
    // The codec has its own copy; of the language model only the embeddings are read where they lie.
    if weights != .f32 { tensors.releasePages() }
    let books = config.decoder.codebooks / config.decoder.audioChannels
    guard codec.config.audioChannels == 1, codec.quantiser.codebooks >= books,
      codec.quantiser.cardinality == config.decoder.cardinality
    else {
      throw ModelError.unsupported(
        folder: folder.path,
        feature: """
          the codec has \(codec.config.audioChannels) channels and \(codec.quantiser.codebooks) \
          codebooks of \(codec.quantiser.cardinality), the decoder needs 1 channel and \(books) of \
          \(config.decoder.cardinality)
          """,
        remedy: "check that config.json and the weights belong to the same model")
    }
  }

  /// Samples of one step: 640.
  package var hop: Int { codec.hop }
  /// Steps per second: 50.
  package var stepsPerSecond: Int { codec.config.stepsPerSecond }
  /// Audio channels: 1 or 2.
  package var channels: Int { config.decoder.audioChannels }
  /// Codebooks of one channel.
  package var booksPerChannel: Int { config.decoder.codebooks / channels }

  /// Hears after how many frames codes come round again.
  package var pulse: Pulse { Pulse(codec: codec, config: config.decoder) }

  /// Codes (frames, K) of audio at the model's rate.
  ///
  /// - Parameter audio: one array of samples per channel, equally long. Stereo codebooks alternate:
  ///   L1 R1 L2 R2 ….
  package func encode(_ audio: [[Float]], pool: ComputePool) throws -> [Int32] {
    precondition(audio.count == channels, "\(audio.count) channels for a model of \(channels)")
    let coded = try audio.map { try codec.encode($0, codebooks: booksPerChannel, pool: pool) }
    return channels == 1 ? coded[0] : interleave(coded)
  }

  /// Audio of codes (frames, K): one array of samples per channel.
  package func decode(_ codes: [Int32], pool: ComputePool) throws -> [[Float]] {
    try (0..<channels).map {
      try codec.decode(channel($0, of: codes), codebooks: booksPerChannel, pool: pool)
    }
  }

  /// The codes (frames, K/channels) of one channel.
  package func channel(_ channel: Int, of codes: [Int32]) -> [Int32] {
    guard channels > 1 else { return codes }
    return stride(from: channel, to: codes.count, by: channels).map { codes[$0] }
  }

  private func interleave(_ coded: [[Int32]]) -> [Int32] {
    coded[0].indices.flatMap { place in coded.map { $0[place] } }
  }

  /// What the decoder reads of a text's ids; see `TextTokenizer`.
  package func context(ofTextIDs ids: [Int32], pool: ComputePool) -> TextContext {
    let states = textEncoder.project(textEncoder.encode(ids, pool: pool), pool: pool)
    return TextContext(states: states.span, model: languageModel, pool: pool)
  }
}
