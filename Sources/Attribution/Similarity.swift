// Methods beside unlearning that ask no counterfactual: how alike the piece and each track are.
//
//   codec        mean and deviation over time of the codec's latents (sums of code entries, or the
//                catalogue's latents)
//   activations  the model's own hidden states, averaged over time, each layer scaled to length 1
//   embedding    vectors from a file (so that CLAP and the like can be brought in; Embeddings.swift)
//
// Features are standardised over the catalogue where their units differ, then compared by cosine.
// Source: METHOD 6 “non-counterfactual methods”; pooling and standardisation are ours.

package import Kernels
import Models
import Reporting

/// The methods by name.
package enum SimilarityMethod: String, Sendable, Codable, CaseIterable {
  case codec, activations, embedding
}

/// Feature vectors of items.
package struct FeatureExtractor {
  private let model: AskedModel
  private let pool: ComputePool
  private let window: Int

  /// - Parameter window: frames that activations are taken over; longer items are cut.
  package init(model: AskedModel, window: Int, pool: ComputePool) {
    self.model = model
    self.window = window
    self.pool = pool
  }

  /// Mean and deviation over time of the item's latents.
  package func codec(_ item: LossItem) throws -> [Float] {
    switch item.content {
    case .latent(let values, let channels, _, _, _):
      return moments(values, channels: channels, frames: item.frames)
    case .codes(let codes, let books):
      guard let music = model.music, books == music.config.decoder.codebooks else {
        throw AttributionError.mismatch(
          catalogue: item.id, model: model.name, reason: "its codes are another codec's")
      }
      let perChannel = music.booksPerChannel
      let width = music.codec.quantiser.width
      var latents: [Float] = []  // (channels · D, T)
      for channel in 0..<music.channels {
        var own = [Int32](repeating: 0, count: item.frames * perChannel)  // (T, K / channels)
        for book in 0..<perChannel {
          let row = book * music.channels + channel
          for t in 0..<item.frames { own[t * perChannel + book] = codes[row * item.frames + t] }
        }
        try music.codec.quantiser.check(own, books: perChannel)
        var rows = FloatBuffer(count: item.frames * width)  // (T, D)
        do {
          var target = rows.mutableSpan
          music.codec.quantiser.decode(
            own.span, count: item.frames, books: perChannel, into: &target)
        }
        for d in 0..<width {
          for t in 0..<item.frames { latents.append(rows.span[t * width + d]) }
        }
      }
      return moments(latents, channels: width * music.channels, frames: item.frames)
    }
  }

  /// Mean hidden state of every layer over the item's first window, each scaled to length 1.
  package func activations(_ item: LossItem) throws -> [Float] {
    let plan = DrawPlan(draws: 1, window: min(window, item.frames))
    let draw = try plan.draws(of: item, for: .score, network: model.loss.network)[0]
    var pooled: [Float] = []
    pool.run(chunks: 1) { _ in
      pooled = model.loss.makeEvaluator().meanStates(of: draw, model.loss.parameters)
    }
    let layers = model.loss.layers
    let width = pooled.count / layers
    for layer in 0..<layers { normalise(&pooled, layer * width..<(layer + 1) * width) }
    return pooled
  }

  private func moments(_ values: [Float], channels: Int, frames: Int) -> [Float] {
    var means: [Float] = []
    var deviations: [Float] = []
    for channel in 0..<channels {
      let row = values[channel * frames..<(channel + 1) * frames]
      let mean = row.reduce(0, +) / Float(frames)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(frames)
      means.append(mean)
      deviations.append(variance.squareRoot())
    }
    return means + deviations
  }
}

private func normalise(_ values: inout [Float], _ range: Range<Int>) {
  let length = values[range].reduce(0) { $0 + $1 * $1 }.squareRoot()
  guard length > 0 else { return }
  for i in range { values[i] /= length }
}

/// Cosine of the piece's features with every track's, after standardising over the tracks.
///
/// - Parameters:
///   - piece: (D).
///   - tracks: one (D) each.
///   - standardises: subtract the tracks' mean and divide by their deviation, feature by feature.
package func similarities(of piece: [Float], to tracks: [[Float]], standardises: Bool) -> [Double] {
  let width = piece.count
  var mean = [Double](repeating: 0, count: width)
  var deviation = [Double](repeating: 1, count: width)
  if standardises {
    for track in tracks { for i in 0..<width { mean[i] += Double(track[i]) } }
    for i in 0..<width { mean[i] /= Double(max(tracks.count, 1)) }
    var squares = [Double](repeating: 0, count: width)
    for track in tracks {
      for i in 0..<width {
        squares[i] += (Double(track[i]) - mean[i]) * (Double(track[i]) - mean[i])
      }
    }
    for i in 0..<width {
      deviation[i] = max((squares[i] / Double(max(tracks.count, 1))).squareRoot(), 1e-9)
    }
  }
  func standard(_ values: [Float]) -> [Double] {
    (0..<width).map { (Double(values[$0]) - mean[$0]) / deviation[$0] }
  }
  let query = standard(piece)
  let querySize = query.reduce(0) { $0 + $1 * $1 }.squareRoot()
  return tracks.map { track in
    let values = standard(track)
    let size = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let dot = zip(query, values).reduce(0) { $0 + $1.0 * $1.1 }
    return size * querySize > 0 ? dot / (size * querySize) : 0
  }
}
