import Foundation
import TestSupport
import Testing

@testable import Attribution

@Suite("Ranking")
struct RankingTests {
  private func ranking(_ scores: [String: Double], shard: [Int]? = nil, rate: Double = 1) -> Ranking
  {
    var checks = RankingChecks()
    checks.learningRate = rate
    return Ranking(
      kind: "attribution", method: "unlearning", question: "?", piece: "p", model: "m",
      modelFingerprint: "f", catalogue: "c", catalogueFingerprint: "g", settings: [:],
      checks: checks,
      tracks: scores.map { id, score in
        TrackScore(
          track: CatalogueTrack(
            id: id, title: id, artist: "", licence: "", tags: "", seconds: 1),
          score: score, before: 1, after: 1 + score)
      }, shard: shard, seconds: 1)
  }

  @Test("is sorted by score, equal scores by id")
  func order() {
    #expect(
      ranking(["b": 1, "a": 1, "c": 2]).tracks.map(\.track.id) == ["c", "a", "b"])
  }

  @Test("parts that do not fit together are refused")
  func merging() throws {
    let one = ranking(["a": 1], shard: [1, 2])
    let two = ranking(["b": 2], shard: [2, 2])
    #expect(try Ranking.merge([two, one]).tracks.map(\.track.id) == ["b", "a"])
    #expect(throws: AttributionError.self) { try Ranking.merge([one]) }
    #expect(throws: AttributionError.self) { try Ranking.merge([one, one]) }
    #expect(throws: AttributionError.self) {
      try Ranking.merge([one, ranking(["b": 2], shard: [2, 2], rate: 3)])
    }
    #expect(throws: AttributionError.self) {
      try Ranking.merge([one, ranking(["a": 2], shard: [2, 2])])
    }
    #expect(throws: AttributionError.self) { try Ranking.merge([ranking(["a": 1])]) }
  }

  @Test("is read back as it was written")
  func files() throws {
    let folder = try TemporaryFolder()
    let written = ranking(["a": 0.1, "b": 1.0 / 3])
    try written.write(to: folder.url)
    #expect(try Ranking(folder: folder.url) == written)
  }

  @Test("Spearman's correlation of equal, opposite and unrelated orders")
  func correlations() {
    let up = ranking(["a": 1, "b": 2, "c": 3, "d": 4])
    let down = ranking(["a": 4, "b": 3, "c": 2, "d": 1])
    let flat = ranking(["a": 1, "b": 1, "c": 1, "d": 1])
    #expect(correlation(up, up) == 1)
    #expect(correlation(up, down) == -1)
    #expect(correlation(up, flat) == nil)
    #expect(ranks([5, 1, 5, 3]) == [3.5, 1, 3.5, 2])
  }

  @Test("normalised scores span 0 to 1, or sum to 1")
  func normalisation() {
    #expect(normalised([4, 2, 0], .minMax) == [1, 0.5, 0])
    let soft = normalised([4, 2, 0], .softmax)
    #expect(abs(soft.reduce(0, +) - 1) < 1e-12 && soft[0] > soft[1])
    #expect(normalised([1, 1], .softmax) == [0.5, 0.5])
  }

  @Test("similarity is the cosine after standardising")
  func similarity() {
    let found = similarities(
      of: [1, 0], to: [[1, 0], [0, 1], [-1, 0]], standardises: false)
    #expect(found == [1, 0, -1])
    let scaled = similarities(
      of: [100, 1], to: [[100, 1], [0, 0], [200, 0]], standardises: true)
    #expect(scaled[0] > 0.99 && scaled[0] > scaled[2])
  }
}
