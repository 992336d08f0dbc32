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

  /// A part of a ranking of tracks 0 … 29 that is to be judged against nine others, with numbers of no meaning.
  private func part(_ index: Int, of count: Int) -> Ranking {
    let ids = (0..<30).filter { $0 % count == index - 1 }
    func number(_ row: Int, _ track: Int) -> Double {
      let mixed: Int = row * 37 + track * 101 + row * track * 7
      return Double(mixed % 19) / 7 - 1
    }
    var ranking = testRanking(
      Dictionary(uniqueKeysWithValues: ids.map { ("\($0)", number(0, $0)) }), piece: "3",
      shard: count == 1 ? nil : [index, count])
    for place in ranking.tracks.indices {
      let track = Int(ranking.tracks[place].track.id) ?? 0
      ranking.tracks[place].panel = (1...9).map { number($0, track) }
    }
    ranking.against = (20..<29).map { id in
      CatalogueTrack(
        id: "\(id)", title: "", artist: "", licence: "", tags: "", seconds: 1)
    }
    return ranking
  }

  @Test(
    "merged parts are judged against the panel like the whole, bit for bit, and keep the plain scores"
  )
  func judging() throws {
    var whole = part(1, of: 1)
    try whole.judge()
    whole.completeChecks()
    #expect(whole.tracks.allSatisfy { $0.plain != nil && $0.panel == nil })
    #expect(whole.tracks.map(\.score) == whole.tracks.map(\.score).sorted(by: >))
    let folder = try TemporaryFolder()
    for count in [2, 3, 7] {
      let parts = try (1...count).reversed().map { index in
        // By way of files, as a person does it.
        try part(index, of: count).write(to: folder.file("\(index)"))
        return try Ranking(folder: folder.file("\(index)"))
      }
      let merged = try Ranking.merge(parts)
      #expect(merged.tracks == whole.tracks && merged.checks == whole.checks)
      #expect(merged.meaning == whole.meaning && merged.meaning?.contains("9 other") == true)
    }
    let plain = part(1, of: 1).tracks
    let own = try #require(plain.first { $0.track.id == "3" }?.score)
    #expect(whole.checks.plainRank == 1 + plain.count { $0.score > own })
    #expect(whole.checks.ownRank == whole.rank(of: "3"))
    let page = RankingReport([whole]).html
    #expect(page.contains(">plain<") && page.contains("the same by the plain scores"))
    let csv = try String(
      contentsOf: {
        try whole.write(to: folder.url)
        return folder.file("ranking.csv")
      }(), encoding: .utf8)
    #expect(csv.hasPrefix("rank,id,title,artist,licence,score,before,after,plain\n"))
    #expect(csv.split(separator: "\n")[1].hasSuffix(",\(whole.tracks[0].plain ?? .nan)"))
  }

  @Test("parts without the panel's scores, or with other panels, are refused")
  func unjudged() {
    var lame = part(2, of: 2)
    lame.tracks[3].panel = nil
    #expect(throws: AttributionError.self) { try Ranking.merge([part(1, of: 2), lame]) }
    var other = part(2, of: 2)
    other.against?.removeLast()
    #expect(throws: AttributionError.self) { try Ranking.merge([part(1, of: 2), other]) }
  }

  @Test("one that an older program wrote is read")
  func older() throws {
    let folder = try TemporaryFolder()
    try testRanking(["a": 1, "b": 2]).write(to: folder.url)
    let file = folder.file("ranking.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    #expect(!text.contains("plain") && !text.contains("against") && !text.contains("meaning"))
    #expect(try Ranking(folder: folder.url).tracks.count == 2)
  }

  @Test("is read back as it was written")
  func files() throws {
    let folder = try TemporaryFolder()
    let written = testRanking(["a": 0.1, "b": 1.0 / 3])
    try written.write(to: folder.url)
    #expect(try Ranking(folder: folder.url) == written)
  }
}
