// Rankings made by hand, for tests of what reads them.

@testable import Attribution

/// A ranking of tracks by their ids, each titled “Title of ID”.
/// - Parameter rate: the learning rate among its checks.
func testRanking(
  _ scores: [String: Double], method: String = "unlearning", kind: String = "attribution",
  piece: String = "p", shard: [Int]? = nil, rate: Double? = 1
) -> Ranking {
  var checks = RankingChecks()
  checks.learningRate = rate
  return Ranking(
    kind: kind, method: method, question: "?", piece: piece, model: "m", modelFingerprint: "f",
    catalogue: "c", catalogueFingerprint: "g", settings: [:], checks: checks,
    tracks: scores.map { id, score in
      TrackScore(
        track: CatalogueTrack(
          id: id, title: "Title of \(id)", artist: "", licence: "", tags: "", seconds: 1),
        score: score, before: 1, after: 1 + score)
    }, shard: shard, seconds: 1)
}
