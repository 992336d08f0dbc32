import Testing

@testable import Engine

@Suite struct TimelineTests {
  private let timeline = Timeline(serverRate: 48000, anchor: 1000)

  @Test func theFloorFromDecisionToSoundIs155Milliseconds() {
    #expect(timeline.floorSamples == 4962)
    #expect(abs(timeline.floorSeconds - 0.155) < 0.0001)
  }

  @Test func aStepChangesNothingThatIsFinalBeforeIt() {
    for step in 1..<200 {
      let final = timeline.finalSamples(beforeStep: step)
      if final > 0 {
        #expect(timeline.firstStep(audibleFrom: final) == step)
        #expect(timeline.firstStep(audibleFrom: final + 1) == step + 1)
      }
      #expect(
        timeline.finalSamples(beforeStep: timeline.firstStep(audibleFrom: step * 77)) >= step * 77)
    }
  }

  @Test(arguments: [44100, 48000, 88200, 96000, 192000, 32000, 22050])
  func framesAndSamplesAreInversesAtEveryRate(rate: Int) {
    let timeline = Timeline(serverRate: rate, anchor: -12345)
    for sample in stride(from: -5000, through: 1_000_000, by: 641) {
      let frame = timeline.frame(ofSample: sample)
      #expect(timeline.sample(atFrame: frame) <= sample)
      #expect(timeline.sample(atFrame: frame + 1) > sample || rate > 32000)
      let exact = Double(sample) * Double(rate) / 32000
      #expect(abs(Double(frame + 12345) - exact) <= 1)
    }
  }

  @Test func anHourDoesNotDrift() {
    let timeline = Timeline(serverRate: 44100, anchor: 0)
    #expect(timeline.frame(ofSample: 3600 * 32000) == 3600 * 44100)
    #expect(timeline.sample(atFrame: 3600 * 44100) == 3600 * 32000)
  }

  @Test func anotherRateKeepsTheMusicWhereItIs() {
    let other = timeline.changed(toServerRate: 44100, at: 49000)
    #expect(other.sample(atFrame: 49000) == timeline.sample(atFrame: 49000))
    #expect(other.sample(atFrame: 49000 + 44100) == timeline.sample(atFrame: 49000 + 48000))
  }
}
