// Which draws of an item's training loss are taken: a pure function of (purpose, item id, draw index).
//
// For the language model a draw is a window of the codes; for the diffusion transformer it is a window
// of the latent, a timestep and noise. The numbers come from Philox keyed by a hash of purpose and id,
// so batch size, order, resuming and sharding cannot change a score. Windows that are wholly silent are
// passed over, and the piece's own windows are spread evenly over it: a scored window that was never
// unlearned, or that is silent, says little about the track (Study/README.md).
// Source: METHOD 6; the key and the windows are ours.

internal import Crypto
import Foundation
import Models

/// Something whose loss can be asked for: a track, or the piece.
package struct LossItem: Sendable {
  package enum Content: Sendable {
    /// (K, T), codebook by codebook.
    case codes([Int32], books: Int)
    /// (C, T) with conditioning tokens (S, width) and a global vector.
    case latent([Float], channels: Int, context: [Float], tokens: Int, global: [Float])
  }

  package var id: String
  package var frames: Int
  /// False where the item is silent or padded; nil when nothing is known.
  package var mask: [Bool]?
  /// Text states (S, C) that the language model hears it with; empty for none.
  package var text: [Float] = []
  package var content: Content

  package init(id: String, frames: Int, mask: [Bool]? = nil, content: Content) {
    self.id = id
    self.frames = frames
    self.mask = mask
    self.content = content
  }
}

/// How many draws, and how long their windows are.
package struct DrawPlan: Sendable, Equatable, Codable {
  /// What the draws are for: unlearning and scoring do not share theirs.
  package enum Purpose: String, Sendable, Codable { case unlearn, score, fisher, heldOut }

  /// Draws per item.
  package var draws: Int
  /// Frames of a window; shorter items are taken whole.
  package var window: Int
  /// Whether silent and padded frames are left out of the loss (M_U or M_L).
  package var masks: Bool

  package init(draws: Int, window: Int, masks: Bool = false) {
    self.draws = draws
    self.window = window
    self.masks = masks
  }

  /// The draws of an item. Conditioning that the network needs and the item lacks is zero: the
  /// "unconditional" input of guidance.
  /// - Throws: `AttributionError.emptyMask` when masking leaves no frame in any window,
  ///   `.mismatch` when item and network differ in kind or width.
  package func draws(of item: LossItem, for purpose: Purpose, network: LossModel.Network) throws
    -> [LossDraw]
  {
    try (0..<draws).map { index in
      let random = Self.random(purpose, item.id)
      let length = min(window, item.frames)
      let uniform = place(random.uniform(step: index, codebook: 0), index, purpose)
      let start = min(Int(Float(item.frames - length + 1) * uniform), item.frames - length)
      let range = try sounding(start..<start + length, of: item, random: random, index: index)
      let mask = masks ? item.mask.map { Array($0[range]) } : nil
      switch (network, item.content) {
      case (.language(let model), .codes(let codes, let books)):
        guard books == model.config.codebooks,
          codes.allSatisfy({ $0 >= 0 && $0 < model.config.cardinality })
        else {
          throw AttributionError.mismatch(
            catalogue: item.id, model: "language model",
            reason:
              "it has \(books) codebooks, the model \(model.config.codebooks) of \(model.config.cardinality)"
          )
        }
        return .window(
          LanguageModelLoss.Window(
            codes: part(codes, rows: books, of: item.frames, range), frames: length,
            text: item.text,
            mask: mask))
      case (
        .diffusion(let model),
        .latent(let values, let channels, let context, let tokens, let global)
      ):
        return .diffusion(
          try diffusion(
            model, part(values, rows: channels, of: item.frames, range), channels, context, tokens,
            global, frames: length, mask: mask, random: random, index: index, id: item.id))
      default:
        throw AttributionError.mismatch(
          catalogue: item.id, model: "",
          reason: "a language model needs codes, a diffusion model latents")
      }
    }
  }

  /// Where a window begins, 0 ..< 1: for a piece that is unlearned draw i lies in the i-th part of it.
  private func place(_ uniform: Float, _ index: Int, _ purpose: Purpose) -> Float {
    purpose == .unlearn ? min((Float(index) + uniform) / Float(draws), 1 - .ulpOfOne) : uniform
  }

  /// The window itself, or with a mask the nearest later one (going round) that sounds somewhere.
  private func sounding(
    _ range: Range<Int>, of item: LossItem, random: CounterRandom, index: Int
  ) throws -> Range<Int> {
    guard let mask = item.mask else { return range }
    let places = item.frames - range.count + 1
    for shift in 0..<places {
      let start = (range.lowerBound + shift) % places
      if mask[start..<start + range.count].contains(true) { return start..<start + range.count }
    }
    if masks { throw AttributionError.emptyMask(item: item.id) }
    return range
  }

  private func diffusion(
    _ model: DiffusionTransformer, _ latent: [Float], _ channels: Int, _ context: [Float],
    _ tokens: Int, _ global: [Float], frames: Int, mask: [Bool]?, random: CounterRandom,
    index: Int, id: String
  ) throws -> DiffusionDraw {
    let config = model.config
    guard channels == config.channels,
      tokens == 0 || context.count == tokens * config.conditioningWidth,
      global.isEmpty || global.count == config.globalWidth
    else {
      throw AttributionError.mismatch(
        catalogue: id, model: "diffusion transformer",
        reason:
          "it has \(channels) channels, the model \(config.channels), or its conditioning differs")
    }
    let needsTokens = config.conditioningWidth > 0 && tokens == 0
    return DiffusionDraw(
      latent: latent, frames: frames, time: random.uniform(step: index, codebook: 1),
      noise: random.normal(step: index, count: latent.count),
      context: needsTokens ? [Float](repeating: 0, count: config.conditioningWidth) : context,
      tokens: needsTokens ? 1 : tokens,
      global: global.isEmpty ? [Float](repeating: 0, count: config.globalWidth) : global, mask: mask
    )
  }

  /// The columns `range` of a (rows, frames) matrix.
  private func part<Element>(_ values: [Element], rows: Int, of frames: Int, _ range: Range<Int>)
    -> [Element]
  {
    (0..<rows).flatMap { values[$0 * frames + range.lowerBound..<$0 * frames + range.upperBound] }
  }

  private static func random(_ purpose: Purpose, _ id: String) -> CounterRandom {
    let digest = SHA256.hash(data: Data("continuo draw\0\(purpose.rawValue)\0\(id)".utf8))
    return CounterRandom(seed: digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
  }
}
