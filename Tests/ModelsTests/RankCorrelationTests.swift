import Testing

@testable import Models

@Suite("Rank correlation")
struct RankCorrelationTests {
  @Test("is 1 for any rising curve, −1 for any falling one, and shares tied ranks")
  func known() throws {
    #expect(rankCorrelation([1.0, 2, 3, 10], [0, 1, 8, 9]) == 1)
    #expect(rankCorrelation([1.0, 2, 3, 10], [9, 8, 1, 0]) == -1)
    // scipy.stats.spearmanr([1, 2, 2, 3, 5], [2, 1, 3, 3, 4])
    let tied = try #require(rankCorrelation([1, 2, 2, 3, 5] as [Float], [2, 1, 3, 3, 4]))
    #expect(abs(tied - 0.763_157_9) < 1e-6)
    #expect(ranks([5.0, 1, 5, 3]) == [3.5, 1, 3.5, 2])
  }

  @Test("there is none of two pairs, or where one side is flat")
  func none() {
    #expect(rankCorrelation([1.0, 2], [1, 2]) == nil)
    #expect(rankCorrelation([1.0, 1, 1], [1, 2, 3]) == nil)
    #expect(rankCorrelation([1.0, 2, 3], [7, 7, 7]) == nil)
  }
}
