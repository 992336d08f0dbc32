import Testing

@testable import Engine

@Suite struct SoundingReportsTests {
  private let start = ContinuousClock.now

  @Test func aChangeIsToldOnceWhenThePlayHeadIsThere() {
    var sounding = SoundingReports(memory: 4)
    sounding.expect(slot: 3, step: 10, frame: 100, received: 1.5)
    sounding.expect(slot: 0, step: 11, frame: 100, received: 1.6)
    sounding.expect(slot: 1, step: 12, frame: 200, received: 1.7)
    var told: [String] = []
    func tell(_ claimed: Int) -> [String] {
      told = []
      sounding.tellChanges(heardBy: claimed) { report in
        guard case .applied(let slot, let step, let frame, let received) = report else { return }
        told.append("\(slot) \(step) \(frame) \(received)")
      }
      return told
    }
    #expect(tell(99).isEmpty)
    #expect(tell(100) == ["3 10 100 1.5", "0 11 100 1.6"])
    #expect(tell(199).isEmpty)
    sounding.forgetChanges()
    #expect(tell(1000).isEmpty)
  }

  @Test func ofTooManyChangesTheFirstOnesAreTold() {
    var sounding = SoundingReports(memory: 4)
    for step in 0..<1000 { sounding.expect(slot: 1, step: step, frame: step, received: 0) }
    var steps: [Int] = []
    sounding.tellChanges(heardBy: 1000) { report in
      if case .applied(_, let step, _, _) = report { steps.append(step) }
    }
    #expect(steps == Array(0..<SoundingReports.mostChanges))
  }

  @Test func metersAreThoseOfTheStepThatSounds() {
    var sounding = SoundingReports(memory: 4, now: start)
    for step in 0..<6 {
      sounding.remember(step: step) { slot in
        slot == 1 || slot == 7
          ? SoundingReports.Meter(
            reading: Float(step), threshold: 0.5, gain: Float(slot))
          : nil
      }
    }
    var told: [String] = []
    sounding.tellMeters(ofStep: 3, now: start + .milliseconds(50)) { report in
      guard case .meter(let slot, let reading, let threshold, let gain) = report else { return }
      told.append("\(slot) \(reading) \(threshold) \(gain)")
    }
    #expect(told == ["2 3.0 0.5 1.0", "8 3.0 0.5 7.0"])
  }

  @Test func aSlotThatIsNotReadAnyMoreIsForgotten() {
    var sounding = SoundingReports(memory: 2, now: start)
    sounding.remember(step: 0) { _ in SoundingReports.Meter(reading: 1) }
    sounding.remember(step: 2) { _ in nil }
    sounding.tellMeters(ofStep: 2, now: start + .seconds(1)) { _ in Issue.record("told") }
  }

  @Test func metersComeAtMostTwentyTimesPerSecond() {
    var sounding = SoundingReports(memory: 1, now: start)
    sounding.remember(step: 0) { _ in SoundingReports.Meter(reading: 1) }
    var count = 0
    for millisecond in 0..<1000 {
      sounding.tellMeters(ofStep: 0, now: start + .milliseconds(millisecond)) { _ in count += 1 }
    }
    #expect(count == 8 * 19)
  }
}
