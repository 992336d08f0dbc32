import Kernels
import Models
import TestSupport
import Testing

@testable import Engine

@Suite struct PerformanceTests {
  private let shortWindows = WindowPlan(length: 60, context: 15, rate: 3)

  private func start(_ instrument: Instrument, prompt: Int, loudness: Double? = nil)
    -> PerformanceStart
  {
    var start = PerformanceStart()
    start.prompt = tinyPrompt(instrument, frames: prompt)
    start.plan = shortWindows
    start.loudness = loudness
    start.controls = [MusicControl(.seed, 7), MusicControl(.topK, 0)]
    return start
  }

  private func sound(_ performance: Performance) -> [Float] {
    performance.sound.withSamples(channel: 0, 0..<Int.max) { span, _ in
      span.indices.map { span[$0] }
    }
  }

  @Test func soundIsThatOfTheWholeClip() throws {
    let instrument = try tinyInstrument()
    let pool = ComputePool()
    let performance = Performance(
      instrument: instrument, start: start(instrument, prompt: 10), pool: pool)
    for _ in 0..<60 { performance.step() }
    let frames = performance.codes.wholeFrames
    let whole = try instrument.codec.decode(
      performance.codes.codes(0..<frames), codebooks: 4, pool: pool)
    let made = sound(performance)
    #expect(made.count == frames * 640 - instrument.codec.decoderLookahead)
    // The decoder works in other blocks here, so sums are rounded in another order.
    let worst = zip(made, whole).map { abs($0 - $1) }.max() ?? 1
    #expect(worst < 1e-5)
  }

  @Test func longPromptsAreHeardFromTheirLastTwoSeconds() throws {
    let instrument = try tinyInstrument()
    let performance = Performance(
      instrument: instrument, start: start(instrument, prompt: 140), pool: ComputePool())
    performance.step()
    #expect(performance.sound.start == 40 * 640)
    #expect(performance.firstSample == 140 * 640)
  }

  @Test(arguments: [nil, -20.0]) func goingBackWithoutAChangeChangesNothing(loudness: Double?)
    throws
  {
    let instrument = try tinyInstrument()
    let straight = Performance(
      instrument: instrument, start: start(instrument, prompt: 10, loudness: loudness),
      pool: ComputePool())
    let winding = Performance(
      instrument: instrument, start: start(instrument, prompt: 10, loudness: loudness),
      pool: ComputePool(threads: 2))
    while straight.nextStep < 300 { straight.step() }
    var random = TestRandom(seed: 3)
    var walks = 0
    while winding.nextStep < 300 {
      winding.step()
      if winding.nextStep % 9 == 0, walks < 40 {
        walks += 1
        let back = Int.random(in: 1...25, using: &random)
        winding.rollBack(toStep: max(winding.earliestStep, winding.nextStep - back))
        winding.step()
      }
    }
    let (first, second) = (straight.codes.codes(0..<296), winding.codes.codes(0..<296))
    let difference = zip(first, second).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    #expect(difference == nil)
    let sameSound = sound(straight) == sound(winding)
    #expect(sameSound)
  }

  @Test(arguments: [nil, -20.0]) func framesDecodedTogetherSoundAsOneByOne(loudness: Double?) throws
  {
    let instrument = try tinyInstrument()
    let alone = Performance(
      instrument: instrument, start: start(instrument, prompt: 110, loudness: loudness),
      pool: ComputePool())
    let together = Performance(
      instrument: instrument, start: start(instrument, prompt: 110, loudness: loudness),
      pool: ComputePool(threads: 2))
    while alone.nextStep < 400 { alone.step() }
    var random = TestRandom(seed: 6)
    var walks = 0
    while together.nextStep < 400 {
      if together.nextStep % 7 == 0 {
        together.decodedTogether = Int.random(in: 1...8, using: &random)
      }
      if together.nextStep >= 390 { together.decodedTogether = 1 }
      together.step()
      if together.nextStep % 11 == 0, walks < 40 {
        walks += 1
        let back = Int.random(in: 1...30, using: &random)
        together.rollBack(toStep: max(together.earliestStep, together.nextStep - back))
      }
    }
    #expect(alone.codes.codes(110..<396) == together.codes.codes(110..<396))
    let sameSound = sound(alone) == sound(together)
    #expect(sameSound)
  }

  @Test func aScoreGivesTheSameCodesWithoutTheDetours() throws {
    let instrument = try tinyInstrument()
    let direction = tinyDirection(instrument)
    let live = Performance(
      instrument: instrument, start: start(instrument, prompt: 10), pool: ComputePool())
    live.place(direction, from: DirectionSource("test/trait"), slot: 2)
    var random = TestRandom(seed: 4)
    while live.nextStep < 250 {
      for _ in 0..<20 { live.step() }
      live.rollBack(toStep: max(live.earliestStep, live.nextStep - 12))
      live.apply(
        MusicControl(.strength, slot: 2, Double(Int.random(in: -4...4, using: &random)) / 2))
      if live.nextStep > 120 { live.apply(MusicControl(.temperature, 0.8)) }
    }
    var offlineStart = start(instrument, prompt: 10)
    offlineStart.controls = []
    let offline = Performance(
      instrument: instrument, start: offlineStart, pool: ComputePool(threads: 2))
    var entries = live.score[...]
    while offline.nextStep < live.nextStep {
      while let entry = entries.first, entry.step <= offline.nextStep {
        entries.removeFirst()
        let address = entry.message.path
        if address.hasSuffix("/direction") {
          offline.place(direction, from: DirectionSource("test/trait"), slot: 2)
        } else {
          offline.apply(
            try #require(MusicControl(address: address, value: entry.message.arguments[0])))
        }
      }
      offline.step()
    }
    let frames = live.codes.wholeFrames
    let same = live.codes.codes(0..<frames) == offline.codes.codes(0..<frames)
    #expect(same)
    #expect(live.score.count > 10)
  }

  @Test func aChangeIsHeardFromItsStepOnAndNothingBefore() throws {
    let instrument = try tinyInstrument()
    let performance = Performance(
      instrument: instrument, start: start(instrument, prompt: 10), pool: ComputePool())
    for _ in 0..<80 { performance.step() }
    let before = sound(performance)
    let step = performance.nextStep - 30
    performance.rollBack(toStep: step)
    let timeline = Timeline(
      lookahead: instrument.codec.decoderLookahead, serverRate: 48000, anchor: 0)
    #expect(performance.sound.end == timeline.finalSamples(beforeStep: step))
    performance.apply(MusicControl(.seed, 99))
    for _ in 0..<30 { performance.step() }
    let after = sound(performance)
    #expect(after.count == before.count)
    let kept = timeline.finalSamples(beforeStep: step)
    let sameBefore = before[..<kept] == after[..<kept]
    let sameAfter = before[kept..<(kept + 5000)] == after[kept..<(kept + 5000)]
    #expect(sameBefore && !sameAfter)
  }

  @Test func settledChangesAreNotGoneBehind() throws {
    let instrument = try tinyInstrument()
    let performance = Performance(
      instrument: instrument, start: start(instrument, prompt: 0), pool: ComputePool())
    for _ in 0..<30 { performance.step() }
    performance.apply(MusicControl(.seed, 99))
    #expect(performance.earliestStep == performance.nextStep)
  }

  @Test func aLoopOrSilenceIsNoticed() throws {
    let instrument = try tinyInstrument()
    var loop = start(instrument, prompt: 0)
    // The likeliest code always, from a network whose positions hardly matter: it repeats itself.
    loop.controls = [MusicControl(.temperature, 1)]
    let lively = Performance(instrument: instrument, start: loop, pool: ComputePool())
    for _ in 0..<230 { lively.step() }
    #expect(!lively.isStuck)
  }
}
