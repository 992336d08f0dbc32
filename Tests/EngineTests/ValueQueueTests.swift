import Foundation
import Testing

@testable import Engine

@Suite struct ValueQueueTests {
  @Test func valuesComeOutInTheirOrderAndAFullQueueRefuses() {
    let queue = ValueQueue<Int>(capacity: 4, filler: 0)
    for value in 1...4 { #expect(queue.offer(value) == true) }
    #expect(queue.offer(5) == false)
    #expect(queue.take() == 1)
    #expect(queue.offer(5) == true)
    #expect((0..<5).map { _ in queue.take() } == [2, 3, 4, 5, nil])
    #expect(queue.isEmpty == true)
  }

  private final class Shared: Sendable {
    let queue = ValueQueue<Int>(capacity: 16, filler: 0)
  }

  @Test func twoThreadsLoseNothing() {
    let shared = Shared()
    let sender = Thread {
      var value = 1
      while value <= 100_000 {
        if shared.queue.offer(value) { value += 1 } else { sched_yield() }
      }
    }
    sender.start()
    var expected = 1
    while expected <= 100_000 {
      if let value = shared.queue.take() {
        guard value == expected else {
          Issue.record("took \(value) instead of \(expected)")
          return
        }
        expected += 1
      } else {
        sched_yield()
      }
    }
  }
}
