import Foundation
import TestSupport
import Testing

@testable import Attribution

@Suite("Ranking")
struct RankingTests {
  @Test("is sorted by score, equal scores by id")
  func order() {
    #expect(
      testRanking(["b": 1, "a": 1, "c": 2]).tracks.map(\.track.id) == ["c", "a", "b"])
  }

  @Test("parts that do not fit together are refused")
  func merging() throws {
    let one = testRanking(["a": 1], shard: [1, 2])
    let two = testRanking(["b": 2], shard: [2, 2])
    #expect(try Ranking.merge([two, one]).tracks.map(\.track.id) == ["b", "a"])
    #expect(throws: AttributionError.self) { try Ranking.merge([one]) }
    #expect(throws: AttributionError.self) { try Ranking.merge([one, one]) }
    #expect(throws: AttributionError.self) {
      try Ranking.merge([one, testRanking(["b": 2], shard: [2, 2], rate: 3)])
    }
    #expect(throws: AttributionError.self) {
      try Ranking.merge([one, testRanking(["a": 2], shard: [2, 2])])
    }
    #expect(throws: AttributionError.self) { try Ranking.merge([testRanking(["a": 1])]) }
  }

  @Test("is read back as it was written")
  func files() throws {
    let folder = try TemporaryFolder()
    let written = testRanking(["a": 0.1, "b": 1.0 / 3])
    try written.write(to: folder.url)
    #expect(try Ranking(folder: folder.url) == written)
  }
}
