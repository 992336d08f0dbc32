// What a diffusion model hears of codes: a catalogue that ships as codes serves both kinds of network.
//
// The latents are the sums of the codebooks' entries, scaled channel by channel as in training; the tags
// become text states of the companion, cut or filled up with zeros; the global vector is that of a
// window's length. In: codes (K, T). Out: latents (C, T), tokens (48, width), global (width).
// Source: Training/train_dit.py, ours.

package import Foundation
package import Kernels
package import Models
import Reporting

/// A diffusion model beside the MusicGen checkpoint whose codec and text encoder it was trained on.
package struct CodesAsLatents: Sendable {
  /// The MusicGen checkpoint.
  package let companion: MusicGen
  private let model: DiffusionModel

  /// - Parameters:
  ///   - model: the diffusion model's folder, with normalisation.safetensors.
  ///   - companion: the folder of the MusicGen checkpoint.
  /// - Throws: `ModelError`, `SafetensorsError`; `AttributionError.mismatch` when the widths differ.
  package init(model folder: URL, companion place: URL) throws {
    model = try DiffusionModel(folder: folder)
    companion = try MusicGen(folder: place)
    let config = model.network.config
    guard companion.channels == 1, config.channels == companion.codec.quantiser.width,
      model.framesPerSecond == Double(companion.stepsPerSecond),
      config.conditioningWidth == 0 || config.conditioningWidth == companion.config.text.width
    else {
      throw AttributionError.mismatch(
        catalogue: "codes of \(place.lastPathComponent)", model: folder.lastPathComponent,
        reason: """
          the model's latents have \(config.channels) channels at \(model.framesPerSecond) frames per \
          second and its text states are \(config.conditioningWidth) wide; there they have \
          \(companion.codec.quantiser.width), \(companion.stepsPerSecond) and \
          \(companion.config.text.width)
          """)
    }
  }

  /// The latents of an item of codes; other items stay as they are.
  /// - Parameter seconds: the length of a window, of which the global vector tells.
  /// - Throws: `AttributionError.mismatch`, `EnCodecError` for codes of another codec.
  package func heard(_ item: LossItem, seconds: Double) throws -> LossItem {
    guard case .codes(let codes, let books) = item.content else { return item }
    guard books == companion.config.decoder.codebooks else {
      throw AttributionError.mismatch(
        catalogue: item.id, model: companion.folder.lastPathComponent,
        reason: "its codes are another codec's: \(books) books")
    }
    let (frames, channels) = (item.frames, model.network.config.channels)
    var rows = [Int32](repeating: 0, count: codes.count)  // (T, K)
    for book in 0..<books {
      for t in 0..<frames { rows[t * books + book] = codes[book * frames + t] }
    }
    let quantiser = companion.codec.quantiser
    try quantiser.check(rows, books: books)
    var found = FloatBuffer(count: frames * channels)  // (T, C)
    do {
      var target = found.mutableSpan
      quantiser.decode(rows.span, count: frames, books: books, into: &target)
    }
    var latent = [Float](repeating: 0, count: frames * channels)  // (C, T)
    for channel in 0..<channels {
      let (mean, deviation) = (model.mean[channel], model.deviation[channel])
      for t in 0..<frames {
        latent[channel * frames + t] = (found.span[t * channels + channel] - mean) / deviation
      }
    }
    var result = item
    result.content = .latent(
      latent, channels: channels, context: [], tokens: 0,
      global: model.global(seconds: min(seconds, Double(frames) / model.framesPerSecond)))
    return result
  }

  /// The item with a text's states in it; without words, or for a model that reads none, as it is.
  /// - Parameter ids: of the text, all known to the text encoder.
  package func told(_ item: LossItem, ids: [Int32], pool: ComputePool) -> LossItem {
    let width = model.network.config.conditioningWidth
    guard case .latent(let latent, let channels, _, _, let global) = item.content, width > 0,
      !ids.isEmpty
    else { return item }
    let known = Array(ids.prefix(DiffusionModel.tokens))
    let states = companion.textEncoder.encode(known, pool: pool).array()
    var result = item
    result.content = .latent(
      latent, channels: channels,
      context: states
        + [Float](repeating: 0, count: DiffusionModel.tokens * width - states.count),
      tokens: DiffusionModel.tokens, global: global)
    return result
  }
}
