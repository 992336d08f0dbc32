import Foundation
import Testing

@testable import Engine

@Suite struct LoaderTests {
  @Test func resultsComeHomeWhenTheyAreAskedFor() {
    let loader = Loader()
    var results: [String] = []
    loader.run {
      42
    } then: {
      results.append("\((try? $0.get()) ?? 0)")
    }
    loader.run { () throws -> Int in
      throw ControlError.badName("x")
    } then: {
      if case .failure(let error) = $0 { results.append("\(error is ControlError)") }
    }
    #expect(results.isEmpty && loader.isBusy)
    loader.drain()
    loader.deliver()
    #expect(results == ["42", "true"] && !loader.isBusy)
  }

  @Test func ofTwoJobsOfOneNameThatWaitOnlyTheNewerRuns() {
    let loader = Loader()
    let gate = DispatchSemaphore(value: 0)
    var results: [Int] = []
    func take(_ result: Result<Int, any Error>) { results.append((try? result.get()) ?? -1) }
    loader.run(
      "a",
      {
        gate.wait(); return 0
      }, then: take)
    loader.run(
      "blocker",
      {
        gate.wait(); return 1
      }, then: take)
    for number in 2..<1000 { loader.run("knob", { number }, then: take) }
    loader.run(nil, { 1000 }, then: take)
    #expect(!loader.isFull)
    gate.signal()
    gate.signal()
    loader.drain()
    loader.deliver()
    #expect(results == [0, 1, 999, 1000] && !loader.isBusy)
  }

  @Test func manyJobsWithoutNamesFillIt() {
    let loader = Loader()
    for _ in 0..<Loader.limit { loader.run(nil, { 0 }, then: { _ in }) }
    #expect(loader.isFull)
    loader.drain()
    loader.deliver()
    #expect(!loader.isFull)
  }
}
