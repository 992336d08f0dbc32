import Testing

@testable import Engine

@Suite struct LatencyRecordTests {
  @Test func percentilesAreThoseOfTheNewestTimes() {
    var record = LatencyRecord()
    #expect(record.percentile(0.5) == 0)
    for value in 1...1000 { record.add(Double(value)) }
    #expect(record.last == 1000)
    #expect(record.percentile(0) == 489)
    #expect(record.percentile(0.5) == 745)
    #expect(record.percentile(1) == 1000)
  }
}
