import Testing

@testable import Attribution

@Suite("Clusters")
struct ClustersTests {
  /// Points around a few centres, one centre after the other.
  private func points(_ centres: [[Float]], each: Int) -> [[Float]] {
    centres.flatMap { centre in
      (0..<each).map { n in centre.enumerated().map { $1 + 0.01 * Float((n * 7 + $0 * 3) % 5) } }
    }
  }

  @Test("of groups that lie apart one of each is taken, whatever the features' units")
  func apart() {
    let features = points([[0, 0], [10, 0], [0, 10], [10, 10]], each: 12)
    for units: (Float, Float) in [(1, 1), (1e-3, 1), (1, 1e4)] {
      let chosen = representatives(
        of: features.map { [$0[0] * units.0, $0[1] * units.1] }, count: 4)
      #expect(chosen.map { $0 / 12 } == [0, 1, 2, 3])
    }
  }

  @Test("are in the catalogue's order, and the same for the same features")
  func repeatable() {
    let features = points([[0, 0], [3, 1], [5, 5]], each: 20)
    let chosen = representatives(of: features, count: 7)
    #expect(chosen == chosen.sorted() && chosen == representatives(of: features, count: 7))
  }

  @Test("tracks that are all alike, and features that say nothing, still give as many")
  func alike() {
    for features in [
      [[Float]](repeating: [1, 2], count: 10), [[Float]](repeating: [], count: 10),
    ] {
      let chosen = representatives(of: features, count: 4)
      #expect(chosen.count == 4 && Set(chosen).count == 4)
    }
    #expect(representatives(of: [], count: 3).isEmpty)
  }
}
