// EnCodec: audio to codes and back, the sound side of MusicGen.
//
// In: samples at the model's rate, −1 … 1, mono (or interleaved frames of two channels where the codec
// itself is stereo; MusicGen's stereo models code each channel by itself). Out: K codes per step of `hop`
// samples. Source: transformers' EncodecModel (published code); METHOD 2.

package import Foundation
package import Kernels

/// A codec with its weights: immutable, shared by all streams and threads.
package struct EnCodec: Sendable {
  package let config: EnCodecConfig
  package let quantiser: ResidualQuantiser
  /// Whether the decoder's weights are kept in 16 bits.
  package let isCompact: Bool
  let encoder: EnCodecNetwork
  let decoder: EnCodecNetwork

  /// Reads a codec.
  ///
  /// - Parameter compact: keeps the decoder's weights in 16 bits with one scale per output. Halves what
  ///   a live decoder reads from memory at every step, for an error some 100 dB below the sound (ours).
  ///   The encoder, whose codes must be exact, stays in float32.
  /// - Throws: `EnCodecError` with the setting or tensor that is wrong.
  package init(config: EnCodecConfig, weights: EnCodecWeights, compact: Bool = false) throws {
    try config.check()
    self.config = config
    isCompact = compact
    quantiser = try ResidualQuantiser(config: config, weights: weights)
    encoder = try EnCodecNetwork.encoder(config: config, weights: weights)
    decoder = try EnCodecNetwork.decoder(config: config, weights: weights, compact: compact)
  }

  /// Reads the codec of a MusicGen checkpoint.
  ///
  /// - Parameter json: the object `audio_encoder` of its `config.json`.
  package init(json: Data, store: TensorStore) throws {
    try self.init(config: EnCodecConfig(json: json), weights: EnCodecWeights(store: store))
  }

  /// Samples per step and channel.
  package var hop: Int { config.hop }

  /// Codebooks that are used when nothing else is said (K).
  package var codebooks: Int { config.codebooks }

  /// How many samples after the end of a step's own `hop` samples the audio that is final ends behind:
  /// with T steps pushed, T · hop − decoderLookahead samples are out. 2402 in the published 32 kHz codec.
  package var decoderLookahead: Int {
    // Far enough from the beginning for the formula to hold in every layer.
    let steps = 1 << 12
    return steps * hop - decoder.layers.reduce(steps) { $1.finalRows(after: $0) }
  }

  /// How many samples after the end of a step's own `hop` samples must have come before its codes are
  /// known.
  package var encoderLookahead: Int {
    let steps = 1 << 12
    return encoder.layers.reversed().reduce(steps) { $1.neededRows(for: $0) } - steps * hop
  }

  /// Steps that are computed at a time for a whole clip.
  static let blockSteps = 10

  /// The latents of a clip before quantisation.
  ///
  /// - Parameter samples: (frames · audioChannels), interleaved; all finite.
  /// - Returns: (⌈frames / hop⌉, hiddenSize).
  /// - Throws: `EnCodecError.sampleNotFinite`, `.wrongCount`.
  package func latents(of samples: [Float], pool: ComputePool) throws -> [Float] {
    try checkSamples(samples)
    let frames = samples.count / config.audioChannels
    let steps = (frames + hop - 1) / hop
    var result = [Float](repeating: 0, count: steps * config.hiddenSize)
    let stream = EnCodecStream(network: encoder, blockRows: Self.blockSteps * hop)
    var output = result.mutableSpan
    let written = stream.push(samples.span, count: frames, into: &output, pool: pool)
    if frames > 0 {
      let end = stream.finish(into: &output, at: written, pool: pool)
      precondition(written + end == steps, "\(written + end) latents for \(steps) steps")
    }
    return result
  }

  /// The codes of a clip.
  ///
  /// - Parameters:
  ///   - samples: (frames · audioChannels), interleaved; all finite.
  ///   - codebooks: how many codebooks are used, 1 … quantiser.codebooks; nil for `codebooks`.
  /// - Returns: (⌈frames / hop⌉, K): the codes of one step side by side.
  package func encode(_ samples: [Float], codebooks: Int? = nil, pool: ComputePool) throws
    -> [Int32]
  {
    quantise(try latents(of: samples, pool: pool), codebooks: codebooks, pool: pool)
  }

  /// The codes of latents (T, hiddenSize), as `encode` returns them.
  package func quantise(_ latents: [Float], codebooks: Int? = nil, pool: ComputePool) -> [Int32] {
    let books = codebooks ?? self.codebooks
    let count = latents.count / config.hiddenSize
    var codes = [Int32](repeating: 0, count: count * books)
    let workspace = WorkBuffer(count: quantiser.workspaceCount)
    var scratch = workspace.mutableSpan
    var output = codes.mutableSpan
    quantiser.encode(
      latents.span, count: count, books: books, into: &output, workspace: &scratch, pool: pool)
    return codes
  }

  /// The audio of codes.
  ///
  /// - Parameters:
  ///   - codes: (T, K): the codes of one step side by side, each 0 ..< cardinality.
  ///   - codebooks: K; nil for `codebooks`.
  /// - Returns: (T · hop · audioChannels), interleaved.
  /// - Throws: `EnCodecError.codeOutOfRange`, `.wrongCount`.
  package func decode(_ codes: [Int32], codebooks: Int? = nil, pool: ComputePool) throws -> [Float]
  {
    let books = codebooks ?? self.codebooks
    guard books >= 1, books <= quantiser.codebooks else {
      throw EnCodecError.tooFewCodebooks(found: quantiser.codebooks, expected: books)
    }
    guard codes.count % books == 0 else {
      throw EnCodecError.wrongCount(
        what: "codes", found: codes.count, expected: "a multiple of \(books)")
    }
    try quantiser.check(codes, books: books)
    let count = codes.count / books
    var latents = [Float](repeating: 0, count: count * config.hiddenSize)
    var target = latents.mutableSpan
    quantiser.decode(codes.span, count: count, books: books, into: &target)
    return try decode(latents: latents, pool: pool)
  }

  /// The audio of latents (T, hiddenSize), quantised or not.
  package func decode(latents: [Float], pool: ComputePool) throws -> [Float] {
    guard latents.count % config.hiddenSize == 0 else {
      throw EnCodecError.wrongCount(
        what: "latent values", found: latents.count,
        expected: "a multiple of \(config.hiddenSize)")
    }
    let steps = latents.count / config.hiddenSize
    let channels = config.audioChannels
    var result = [Float](repeating: 0, count: steps * hop * channels)
    guard steps > 0 else { return result }
    let stream = EnCodecStream(network: decoder, blockRows: Self.blockSteps)
    var output = result.mutableSpan
    let written = stream.push(latents.span, count: steps, into: &output, pool: pool)
    let end = stream.finish(into: &output, at: written, pool: pool)
    precondition(written + end == steps * hop, "\(written + end) frames for \(steps) steps")
    return result
  }

  func checkSamples(_ samples: [Float]) throws {
    guard samples.count % config.audioChannels == 0 else {
      throw EnCodecError.wrongCount(
        what: "samples", found: samples.count, expected: "a multiple of \(config.audioChannels)")
    }
    if let index = samples.firstIndex(where: { !$0.isFinite }) {
      throw EnCodecError.sampleNotFinite(index: index)
    }
  }
}
