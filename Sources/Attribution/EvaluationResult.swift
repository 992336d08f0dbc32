// What the study of attributions comes to: its settings, tables and how the quality of a network is judged.

import Foundation
package import Models

/// One cell of the grid.
package struct EvaluationSetting: Sendable, Codable, Equatable {
  package var layers: LayerChoice
  package var masksPiece: Bool
  package var masksTracks: Bool
  /// By how much of itself the piece's own loss rises.
  package var rise: Double
  /// λ, relative to each tensor's mean Fisher information.
  package var damping: Double

  package init(
    layers: LayerChoice, masksPiece: Bool, masksTracks: Bool, rise: Double, damping: Double = 0.1
  ) {
    self.layers = layers
    self.masksPiece = masksPiece
    self.masksTracks = masksTracks
    self.rise = rise
    self.damping = damping
  }
}

/// What a cell came to.
package struct EvaluationRow: Sendable, Codable, Equatable {
  package let setting: EvaluationSetting
  /// Tracks that were unlearned.
  package let queries: Int
  /// R: mean rank of the unlearned track.
  package let meanRank: Double
  /// The rank of every unlearned track, in the order of the queries.
  package var ranks: [Int] = []
  package let firstShare: Double
  /// The ranks against all pieces that were asked in the same way; empty without first order or with few pieces.
  package var contrastRanks: [Int] = []
  /// Mean codec similarity of the ten best and ten worst tracks to the unlearned one.
  package let topSimilarity: Double
  package let bottomSimilarity: Double
  /// Mean change of the held-out loss, relative; nil without held-out tracks.
  package let heldOutChange: Double?
  /// How many of the queries share their most frequent top track (other than themselves).
  package let commonest: Int
  /// Fréchet distance of fresh generations after unlearning to real music; nil where none were made.
  package var quality: Double?
  /// Mean ‖Θ − Θ0‖ / ‖Θ0‖; nil where nothing was unlearned.
  package var stepNorm: Double?

  /// R against all pieces that were asked in the same way.
  package var contrastRank: Double? {
    contrastRanks.isEmpty
      ? nil : Double(contrastRanks.reduce(0, +)) / Double(contrastRanks.count)
  }
}

/// Where relatives rank with one method.
package struct RelativeRow: Sendable, Codable, Equatable {
  package let method: String
  package let kind: String
  package let queries: Int
  package let medianRank: Double
  /// Share among the first two, and within the first percent of the catalogue.
  package let topTwo: Double
  package let topPercent: Double
}

/// How two methods agree.
package struct CorrelationRow: Sendable, Codable, Equatable {
  package let methods: [String]
  package let queries: Int
  package let mean: Double
}

/// A generated piece, and the track that it continues, when one is known.
package struct EvaluationPiece: Sendable {
  package var path: String
  package var track: String?

  package init(path: String, track: String? = nil) {
    self.path = path
    self.track = track
  }
}

/// The study's results.
package struct EvaluationResult: Sendable, Codable, Equatable {
  package let model: String
  package let modelFingerprint: String
  package let family: String
  package let catalogue: String
  package let tracks: Int
  package var grid: [EvaluationRow]
  package var relatives: [RelativeRow]
  /// Where the track ranks that a generated piece continues.
  package var sources: [RelativeRow]
  /// Mean of Spearman's rank correlation between methods, over pieces, relatives and twins.
  package var correlations: [CorrelationRow]
  /// Fréchet distance of the model's generations before any unlearning; nil where none were made.
  package var quality: Double?
  /// Choices of layers that the model, asked in this way, has no tensors for.
  package var absent: [LayerChoice] = []
  package var seconds: Double
}

/// Fresh generations of a network that has unlearned something, against real music: the poster's column FD.
package struct QualityJudge {
  /// Clips per setting, dealt to its queries in turn.
  package var clips: Int
  /// Embeddings (n, D) of the clips of these numbers, made by the network with these parameters.
  package var listen: (Parameters, Range<Int>) throws -> [Float]
  package var reference: GaussianFit

  package init(
    clips: Int, reference: GaussianFit, listen: @escaping (Parameters, Range<Int>) throws -> [Float]
  ) {
    self.clips = clips
    self.reference = reference
    self.listen = listen
  }

  /// The distance of embeddings (n, D) to the reference.
  func distance(of embeddings: [Float]) -> Double {
    var fit = GaussianFit(dimension: reference.dimension)
    fit.add(embeddings)
    return fit.distance(to: reference)
  }
}
