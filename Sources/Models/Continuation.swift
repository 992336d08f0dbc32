// One piece of music made offline: a prompt and a text in, sound out in order, block by block.
//
// Prompt (channels, samples) → codes of the codec → the generator's loop → codes → sound (channels,
// samples), all at the model's rate. Prompt and new music are decoded as one stream, so the join has no
// seam: the prompt sounds as the codec hears it. For stereo each side is coded by itself, codebooks
// interleaved L1 R1 L2 R2 … [published code]. Memory does not grow with the length, but for the codes.
//
// It runs straight through: nothing is taken back, nothing is scored, the sound is handed on and
// forgotten. Music that is changed while it sounds is `Performance` of the engine, which starts from codes.

internal import Foundation
package import Kernels
package import Reporting

/// Why music cannot go on.
package enum ContinuationError: Explained {
  /// The logits of a step were no numbers any more.
  case noNumbers(step: Int)

  package var kind: FailureKind { .software }
  package var problem: String {
    switch self {
    case .noNumbers(let step):
      "the model's numbers broke at step \(step): they are no numbers any more"
    }
  }
  package var remedy: String { "turn knobs, their dose or the guidance down" }
}

/// A rendering under way, from sound and words to sound, in one pass. Used from one thread.
package final class Continuation {
  package let model: MusicGen
  package let generator: CodeGenerator
  /// Frames of the prompt, 1/50 s each.
  package let promptFrames: Int
  /// Frames of prompt and new music.
  package let frames: Int
  private let pool: ComputePool
  private let decoders: [EnCodecDecoderState]
  /// Frames that went into the decoders.
  private var decodedFrames = 0
  /// Frames decoded at once: 0.2 s.
  private static let blockFrames = 10

  /// - Parameters:
  ///   - prompt: sound to continue at the model's rate, one array per channel of the model, whole frames
  ///     of `model.codec.hop` samples; empty arrays for none.  // (channels, samples)
  ///   - text: what the music should be like; nil for none.
  ///   - newFrames: how many frames to make.
  ///   - steering: the knobs; nil for none.
  /// - Throws: `TextTokenizerError`, `ModelError`, `EnCodecError`.
  package init(
    model: MusicGen, prompt: [[Float]], text: String?, newFrames: Int,
    settings: SamplingSettings, steering: Steering? = nil, pool: ComputePool
  ) throws {
    let channels = model.config.decoder.audioChannels
    precondition(prompt.count == channels, "one array per channel of the model")
    self.model = model
    self.pool = pool
    let codes = try model.encode(prompt, pool: pool)
    promptFrames = codes.count / model.config.decoder.codebooks
    frames = promptFrames + newFrames
    generator = CodeGenerator(
      model: model.languageModel, prompt: codes,
      text: try text.map { try model.textContext($0, pool: pool) }, settings: settings,
      theme: model.pulse.theme(of: codes), steering: steering, frameLimit: frames, pool: pool)
    generator.reserve(frames: frames)
    decoders = (0..<channels).map { _ in
      EnCodecDecoderState(
        codec: model.codec, codebooks: model.booksPerChannel, blockSteps: Self.blockFrames)
    }
  }

  /// Makes everything.
  /// - Parameters:
  ///   - afterStep: called behind every step of the generator, for readings and progress; may throw to
  ///     stop.
  ///   - sound: takes the sound in order, prompt first.  // (channels, samples)
  /// - Throws: `ContinuationError`, and what the closures throw.
  package func run(
    afterStep: (CodeGenerator) throws -> Void, sound: ([[Float]]) throws -> Void
  ) throws {
    generator.prefill()
    while generator.wholeFrames < frames {
      generator.step()
      guard !generator.isBroken else {
        throw ContinuationError.noNumbers(step: generator.nextStep - 1)
      }
      try afterStep(generator)
      while generator.wholeFrames - decodedFrames >= Self.blockFrames {
        try decode(Self.blockFrames, sound)
      }
    }
    if decodedFrames < frames { try decode(frames - decodedFrames, sound) }
    let rest = decoders.map { $0.finish(pool: pool) }
    if !rest[0].isEmpty { try sound(rest) }
  }

  /// Decodes the next `count` frames and hands the sound on that became final.
  private func decode(_ count: Int, _ sound: ([[Float]]) throws -> Void) throws {
    let codes = generator.codes(decodedFrames..<decodedFrames + count)  // (count, K)
    decodedFrames += count
    let block = decoders.enumerated().map { channel, decoder in
      decoder.push(model.channel(channel, of: codes), pool: pool)
    }
    if !block[0].isEmpty { try sound(block) }
  }
}

extension MusicGen {
  /// A text as the decoder's cross-attention reads it.
  /// - Throws: `TextTokenizerError`, `ModelError` when the vocabulary is larger than the encoder's.
  package func textContext(_ text: String, pool: ComputePool) throws -> TextContext {
    let ids = try TextTokenizer(directory: folder).ids(of: text)
    if let wrong = ids.first(where: { Int($0) >= config.text.vocabulary }) {
      throw ModelError.badValue(
        file: folder.appendingPathComponent("config.json").path, field: "text_encoder.vocab_size",
        value: "\(config.text.vocabulary)", expected: "above \(wrong), an id of the vocabulary")
    }
    return context(ofTextIDs: ids, pool: pool)
  }
}
