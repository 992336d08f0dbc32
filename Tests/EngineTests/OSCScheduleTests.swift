import Testing

@testable import Engine

@Suite struct OSCScheduleTests {
  private let sender = OSCPeer(host: "127.0.0.1", port: 1)

  private func batch(_ path: String, _ time: Double) -> OSCBatch {
    OSCBatch(messages: [OSCMessage(path)], sender: sender, time: time)
  }

  @Test func batchesComeInOrderOfTimeAndThenOfArrival() throws {
    var schedule = OSCSchedule()
    try schedule.add(batch("/c", 3), now: 0)
    try schedule.add(batch("/a", 1), now: 0)
    try schedule.add(batch("/b", 1), now: 0)
    #expect(schedule.next == 1)
    #expect(schedule.due(at: 0.5).isEmpty)
    #expect(schedule.due(at: 2).map { $0.messages[0].path } == ["/a", "/b"])
    #expect(schedule.due(at: 3).map { $0.messages[0].path } == ["/c"])
    #expect(schedule.count == 0)
  }

  @Test func thereAreLimits() throws {
    var schedule = OSCSchedule()
    #expect(throws: ControlError.self) { try schedule.add(batch("/a", 4000), now: 0) }
    for _ in 0..<OSCSchedule.limit { try schedule.add(batch("/a", 1), now: 0) }
    #expect(throws: ControlError.self) { try schedule.add(batch("/a", 1), now: 0) }
  }
}
