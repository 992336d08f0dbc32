import Foundation
import TestSupport
import Testing

@testable import Attribution

@Suite("Unlearning to first order")
struct FirstOrderTests {
  /// Pearson's correlation of two rankings' scores, track by track.
  private func likeness(_ a: Ranking, _ b: Ranking) -> Double {
    let other = Dictionary(
      b.tracks.map { ($0.track.id, $0.score) }, uniquingKeysWith: { first, _ in first })
    let pairs = a.tracks.map { ($0.score, other[$0.track.id] ?? 0) }
    let count = Double(pairs.count)
    let (x, y) = (
      pairs.reduce(0) { $0 + $1.0 } / count, pairs.reduce(0) { $0 + $1.1 } / count
    )
    let product = pairs.reduce(0) { $0 + ($1.0 - x) * ($1.1 - y) }
    let sizes = (
      pairs.reduce(0) { $0 + ($1.0 - x) * ($1.0 - x) },
      pairs.reduce(0) { $0 + ($1.1 - y) * ($1.1 - y) }
    )
    return product / (sizes.0 * sizes.1).squareRoot()
  }

  @Test(
    "gives the scores of a small step of unlearning, for any layers and damping",
    arguments: [
      (LayerChoice.allTransformer, 0.1), (.selfAttention, 1), (.allTransformer, 0.01),
    ])
  func agreement(layers: LayerChoice, damping: Double) throws {
    let tiny = try TinyDiffusion()
    var request = tiny.request(track: 2)
    request.compares = false
    request.unlearning.layers = layers
    request.unlearning.damping = damping
    request.unlearning.rise = 0.001
    request.masksPiece = false
    let exact = try tiny.rank(request, store: "exact")
    let setting = EvaluationSetting(
      layers: layers, masksPiece: false, masksTracks: false, rise: 0.001, damping: damping)
    let context = try AttributionContext(request)
    let table = FirstOrderTable(request, cache: tiny.folder.file("cache"))
    var other = setting
    other.damping = 10
    try table.fill(
      [setting, other].map { .init(piece: "track-2", isTrack: true, setting: $0) }, context
    ) { _, _ in }
    let scores = try #require(table.scores(of: "track-2", setting))
    let first = try AttributionRun(
      request, store: try tiny.store("first"), cache: tiny.folder.file("cache"), context: context,
      firstOrder: scores
    ) { _ in }.run()[0]
    #expect(first.method == "unlearning, first order" && first.kind == "attribution")
    #expect(likeness(exact, first) > 0.995)
    // Not only alike: of the same size.
    let (largest, same) = (exact.tracks[0].score, scores[exact.tracks[0].track.id] ?? 0)
    #expect(abs(largest - same) < 0.05 * abs(largest))
    #expect(table.scores(of: "track-3", setting) == nil)
    #expect(table.scores(of: "track-2", other) != scores)
  }
}
