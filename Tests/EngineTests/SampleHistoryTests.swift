import Testing

@testable import Engine

@Suite struct SampleHistoryTests {
  private func append(_ history: inout SampleHistory, _ range: Range<Int>) {
    let samples = range.flatMap { [Float($0), -Float($0)] }
    history.append(samples.span, count: range.count)
  }

  private func read(_ history: SampleHistory, _ channel: Int, _ range: Range<Int>) -> ([Float], Int)
  {
    history.withSamples(channel: channel, range) { span, first in
      (span.indices.map { span[$0] }, first)
    }
  }

  @Test func theNewestSamplesAreKeptByNumber() {
    var history = SampleHistory(channels: 2, capacity: 100)
    var next = 0
    while next < 5000 {
      append(&history, next..<next + 37)
      next += 37
      let (samples, first) = read(history, 1, (next - 60)..<next)
      #expect(first == max(0, next - 60))
      #expect(samples == (first..<next).map { -Float($0) })
    }
    #expect(history.end == next && history.start >= next - 100)
  }

  @Test func goingBackAndOnAgainReplacesTheEnd() {
    var history = SampleHistory(channels: 2, capacity: 100)
    append(&history, 0..<80)
    history.truncate(to: 50)
    append(&history, 1000..<1010)
    #expect(read(history, 0, 48..<54).0 == [48, 49, 1000, 1001, 1002, 1003])
  }

  @Test func rangesOutsideAreCut() {
    var history = SampleHistory(channels: 2, capacity: 100)
    history.restart(at: 500)
    append(&history, 500..<520)
    #expect(read(history, 0, 400..<502) == ([500, 501], 500))
    #expect(read(history, 0, 600..<700).0 == [])
  }
}
