// Which draws of an item's training loss are taken: a pure function of (purpose, item id, draw index).
//
// For the language model a draw is a window of the codes; for the diffusion transformer it is a window
// of the latent, a timestep and noise. The numbers come from Philox keyed by a hash of purpose and id,
// so batch size, order, resuming and sharding cannot change a score. Windows that are wholly silent are
// passed over, and the piece's own windows are spread evenly over it, without a gap where they are enough:
// a scored window that was never unlearned, or that is silent, says little about the track (Study/README.md).
// The first place and time of an item are random, the next follow the additive recurrences of √2 (places)
// and of the golden ratio (times), whose multiples lie as evenly as any: however many draws there are, they
// cover item and times, and draw i does not depend on how many there are.
// Scored tracks share times and noise (not windows, and not with the piece): what these do to any track's
// loss then says nothing about who ranks before whom. The times can be a part of 0 … 1: which of them tell
// tracks apart is measured in Study/README.md.
// Source: METHOD 6; key, windows, shared noise and part of the times are ours.

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
  /// Times of a diffusion model's draws, in 0 … 1: from clean latents to noise alone.
  package var times: ClosedRange<Float>

  /// All that a diffusion model is trained on.
  package static let allTimes: ClosedRange<Float> = 0...1

  package init(
    draws: Int, window: Int, masks: Bool = false, times: ClosedRange<Float> = Self.allTimes
  ) {
    self.draws = draws
    self.window = window
    self.masks = masks
    self.times = times
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
      let shared = purpose == .score ? Self.random(purpose, "") : random
      let length = min(window, item.frames)
      let start = start(
        of: length, in: item.frames, at: Self.spread(random, 0, index), index, purpose)
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
            global, frames: length, mask: mask, random: shared, index: index, id: item.id))
      default:
        throw AttributionError.mismatch(
          catalogue: item.id, model: "",
          reason: "a language model needs codes, a diffusion model latents")
      }
    }
  }

  /// Where a window begins, at `uniform` of the way (0 ..< 1). For a piece that is unlearned draw i lies in the
  /// i-th part of it; draws that are enough for the whole piece leave no frame out.
  private func start(
    of length: Int, in frames: Int, at uniform: Double, _ index: Int, _ purpose: Purpose
  ) -> Int {
    let last = frames - length
    if purpose != .unlearn { return min(Int(Double(last + 1) * uniform), last) }
    if draws > 1 && draws * length >= frames { return index * last / (draws - 1) }
    return min(Int(Double(last + 1) * (Double(index) + uniform) / Double(draws)), last)
  }

  /// The time of draw `index`.
  private func time(_ random: CounterRandom, _ index: Int) -> Float {
    let share = Float(Self.spread(random, 1, index))
    return min(times.lowerBound + (times.upperBound - times.lowerBound) * share, times.upperBound)
  }

  /// The number of draw `index` in dimension 0 (places) or 1 (times), 0 ..< 1.
  private static func spread(_ random: CounterRandom, _ dimension: Int, _ index: Int) -> Double {
    let step = dimension == 0 ? 0.41421356237309515 : 0.6180339887498949
    let sum = Double(random.uniform(step: 0, codebook: dimension)) + Double(index) * step
    return sum - sum.rounded(.down)
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
      latent: latent, frames: frames, time: time(random, index),
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
