import Testing

@testable import Engine

@Suite struct OverloadLadderTests {
  /// Runs steps of one kind and collects what is told.
  private func run(
    _ ladder: inout OverloadLadder, _ steps: Int, factor: Double, ready: Double,
    isMissing: Bool = false
  ) -> [OverloadLadder.Rung] {
    (0..<steps).flatMap { _ in
      ladder.step(factor: factor, ready: ready, target: 1, isMissing: isMissing)
    }
  }

  @Test func rungsAreReachedOneAfterTheOtherAndToldOnce() {
    var ladder = OverloadLadder()
    #expect(run(&ladder, 1000, factor: 0.9, ready: 0.2).isEmpty, "slow, but fast enough")
    #expect(run(&ladder, 1000, factor: 1.2, ready: 0.8).isEmpty, "there is still music")
    #expect(run(&ladder, 1, factor: 1.2, ready: 0.4) == [.lookahead])
    #expect(ladder.lookahead(wanted: 1, least: 0.3) == 0.4)
    #expect(ladder.lookahead(wanted: 1, least: 0.6) == 0.6)
    #expect(ladder.lookahead(wanted: 0.25, least: 0.6) == 0.25)
    #expect(run(&ladder, 20, factor: 1.2, ready: 0.3).isEmpty)
    #expect(run(&ladder, 100, factor: 1.2, ready: 0.3) == [.extras])
    #expect(run(&ladder, 100, factor: 1.2, ready: 0, isMissing: true) == [.silence])
    #expect(run(&ladder, 10_000, factor: 1.2, ready: 0, isMissing: true).isEmpty)
  }

  @Test func missingMusicTakesAllRungsAtOnce() {
    var ladder = OverloadLadder()
    #expect(
      run(&ladder, 3, factor: 0.1, ready: 0, isMissing: true) == [.lookahead, .extras, .silence])
  }

  @Test func whenItKeepsUpForAWhileAllIsAsItWasAndMayBeToldAgain() {
    var ladder = OverloadLadder()
    _ = run(&ladder, 1, factor: 2, ready: 0, isMissing: true)
    #expect(run(&ladder, OverloadLadder.rest - 1, factor: 0.5, ready: 0.9).isEmpty)
    _ = run(&ladder, 1, factor: 2, ready: 0.9)
    #expect(run(&ladder, OverloadLadder.rest - 1, factor: 0.5, ready: 0.9).isEmpty, "from anew")
    #expect(run(&ladder, 1, factor: 0.5, ready: 0.9) == [.none])
    #expect(ladder.lookahead(wanted: 1, least: 0.3) == 1)
    #expect(run(&ladder, 1, factor: 1.2, ready: 0.4) == [.lookahead])
  }
}
