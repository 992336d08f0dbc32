import Testing

@testable import Engine

@Suite struct CommandBacklogTests {
  @Test func whatDoesNotFitWaitsAndTheNewestOfEveryKindArrives() {
    let queue = ValueQueue<EngineCommand>(capacity: 4, filler: .commit)
    var backlog = CommandBacklog()
    for number in 0..<1000 {
      backlog.send(.music(MusicControl(.strength, slot: 1, Double(number))), to: queue)
      backlog.send(.music(MusicControl(.strength, slot: 2, -Double(number))), to: queue)
      backlog.send(.commit, to: queue)
    }
    #expect(backlog.count == 3)
    var strengths = [1: 0.0, 2: 0.0]
    var last: EngineCommand?
    while let command = queue.take() {
      if case .music(let control) = command { strengths[control.slot] = control.value }
      last = command
      backlog.flush(to: queue)
    }
    #expect(backlog.count == 0)
    #expect(strengths == [1: 999, 2: -999])
    guard case .commit = last else {
      Issue.record("the changes are not committed")
      return
    }
  }

  @Test func whileThereIsRoomEverythingGoesThroughInOrder() {
    let queue = ValueQueue<EngineCommand>(capacity: 8, filler: .commit)
    var backlog = CommandBacklog()
    for number in 0..<4 { backlog.send(.lookahead(Double(number)), to: queue) }
    var seen: [Double] = []
    while case .lookahead(let seconds)? = queue.take() { seen.append(seconds) }
    #expect(seen == [0, 1, 2, 3])
  }
}
