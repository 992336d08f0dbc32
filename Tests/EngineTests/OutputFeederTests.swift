import TestSupport
import Testing

@testable import Engine

/// The model's sound, a feeder, and a listener at the other end of the ring.
private final class Bench {
  let exchange = AudioExchange(seconds: 1)
  var sound: SampleHistory
  var feeder: OutputFeeder

  init(serverRate: Int = 48_000, anchor: Int = 1_000, start: Int? = nil, channels: Int = 1) {
    sound = SampleHistory(channels: channels, capacity: 64_000)
    feeder = OutputFeeder(
      timeline: Timeline(serverRate: serverRate, anchor: anchor), start: start ?? anchor)
  }

  func add(_ samples: [Float]) {
    sound.append(samples.span, count: samples.count / sound.channels)
  }

  func publish() -> Int { feeder.publish(sound, to: exchange) }

  /// What the ring holds from `frame` on; nil where nothing is ready.
  func hear(_ frame: Int, _ count: Int) -> (left: [Float?], right: [Float?]) {
    var left = [Float](repeating: 0, count: count)
    var right = left
    let ready = unsafe exchange.output.read(at: frame, count: count, left: &left, right: &right)
    func known(_ values: [Float]) -> [Float?] {
      values.enumerated().map { $0.offset < ready ? $0.element : nil }
    }
    return (known(left), known(right))
  }
}

@Suite struct OutputFeederTests {
  private func music(_ count: Int, seed: UInt64 = 1) -> [Float] {
    var random = TestRandom(seed: seed)
    return random.normal(count, scale: 0.3)
  }

  @Test func atTheModelsOwnRateEverySampleIsAFrameBehindTheAnchor() {
    let bench = Bench(serverRate: 32_000, anchor: 500)
    let samples = music(3_000)
    bench.add(samples)
    #expect(bench.publish() == 0)
    #expect(bench.feeder.published == 3_500)
    #expect(bench.hear(500, 3_000).left == samples)
    #expect(bench.hear(3_500, 1).left == [nil])
  }

  @Test(arguments: [44_100, 48_000, 96_000])
  func inPiecesItIsWhatTheResamplerMakesOfTheWhole(rate: Int) {
    let bench = Bench(serverRate: rate)
    let samples = music(20_000)
    var random = TestRandom(seed: 2)
    var rest = samples[...]
    while !rest.isEmpty {
      let count = min(rest.count, Int.random(in: 1...3_000, using: &random))
      bench.add(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
      #expect(bench.publish() == 0)
    }
    let whole = SincResampler(from: 32_000, to: rate).whole(samples)
    let count = bench.feeder.published - 1_000
    // The last frames wait for samples that are still to come.
    #expect(count > 0 && count < whole.count && count == bench.feeder.end(of: bench.sound) - 1_000)
    #expect(bench.hear(1_000, count).left == Array(whole.prefix(count)))
  }

  @Test func oneChannelSoundsOnBothSidesAndTwoOnTheirOwn() {
    let mono = Bench(serverRate: 32_000, anchor: 0)
    mono.add([0.1, 0.2, 0.3])
    _ = mono.publish()
    let both = mono.hear(0, 3)
    #expect(both.left == [0.1, 0.2, 0.3] && both.right == both.left)
    let stereo = Bench(serverRate: 32_000, anchor: 0, channels: 2)
    stereo.add([0.1, -0.1, 0.2, -0.2])
    _ = stereo.publish()
    let sides = stereo.hear(0, 2)
    #expect(sides.left == [0.1, 0.2] && sides.right == [-0.1, -0.2])
  }

  @Test func whatIsTakenBackIsPublishedAgainAndNothingBeforeItChanges() {
    let bench = Bench()
    let first = music(8_000)
    bench.add(first)
    _ = bench.publish()
    let end = bench.feeder.published
    bench.sound.truncate(to: 5_000)
    bench.feeder.rewind(to: bench.sound)
    #expect(bench.feeder.published < end)
    let other = music(4_000, seed: 9)
    bench.add(other)
    #expect(bench.publish() == 0)
    let whole = SincResampler(from: 32_000, to: 48_000)
      .whole(Array(first.prefix(5_000)) + other)
    let count = bench.feeder.published - 1_000
    #expect(bench.hear(1_000, count).left == Array(whole.prefix(count)))
  }

  @Test func samplesThatAreSaidToBeOpenCannotBeHeardBefore() {
    let bench = Bench()
    bench.add(music(8_000))
    let frame = 5_000
    let open = bench.feeder.sample(stillOpenAt: frame)
    func frames(changing sample: Int) -> [Float?] {
      let bench = Bench()
      var samples = music(8_000)
      samples[sample] += 1
      bench.add(samples)
      _ = bench.publish()
      return bench.hear(1_000, frame - 1_000).left
    }
    _ = bench.publish()
    let plain = bench.hear(1_000, frame - 1_000).left
    #expect(frames(changing: open) == plain)
    #expect(frames(changing: open - 64) != plain)
  }

  @Test func framesThatWerePlayedMeanwhileAreCountedAsLate() {
    let bench = Bench(serverRate: 32_000, anchor: 0)
    _ = bench.hear(0, 700)
    bench.add([Float](repeating: 1, count: 1_000))
    #expect(bench.publish() == 700)
    #expect(bench.publish() == 0, "each counts once")
    #expect(bench.hear(700 + OutputRing.lateFade, 10).left == [Float](repeating: 1, count: 10))
  }

  @Test func aFullRingMakesItWaitForTheListener() {
    let bench = Bench(serverRate: 192_000, anchor: 0)
    let samples = music(60_000)
    bench.add(samples)
    #expect(bench.publish() == 0)
    #expect(bench.feeder.published == bench.exchange.output.capacity)
    let early = bench.hear(0, 200_000).left
    #expect(bench.publish() == 0)
    #expect(bench.feeder.published == bench.feeder.end(of: bench.sound))
    let late = bench.hear(200_000, bench.feeder.published - 200_000).left
    let whole = SincResampler(from: 32_000, to: 192_000).whole(samples)
    #expect(early + late == Array(whole.prefix(bench.feeder.published)))
  }

  @Test func aNewBeginningIsFadedInFromWhatWasThere() {
    let bench = Bench(serverRate: 32_000, anchor: 0)
    bench.add([Float](repeating: 1, count: 2_000))
    _ = bench.publish()
    bench.sound.truncate(to: 500)
    bench.add([Float](repeating: 0, count: 1_500))
    bench.feeder.begin(at: 500, fade: 100)
    _ = bench.publish()
    let heard = bench.hear(0, 2_000).left.map { $0 ?? 9 }
    #expect(heard[..<500].allSatisfy { $0 == 1 })
    for frame in 500..<600 { #expect(heard[frame] < heard[frame - 1]) }
    #expect(heard[600...].allSatisfy { $0 == 0 })
  }

  @Test func musicThatWaitsComesLaterAsAWhole() {
    let bench = Bench()
    let samples = music(6_000)
    bench.add(samples)
    bench.feeder.delay(by: 480)
    #expect(bench.feeder.timeline.anchor == 1_480 && bench.feeder.published == 1_480)
    _ = bench.publish()
    let whole = SincResampler(from: 32_000, to: 48_000).whole(samples)
    #expect(bench.hear(1_480, 1_000).left == Array(whole.prefix(1_000)))
  }

  @Test func anotherRateOfTheServerGoesOnAtTheSameSample() {
    let bench = Bench(serverRate: 48_000, anchor: 0)
    bench.add(music(8_000))
    _ = bench.publish()
    // Frame 6000 at 48 kHz is sample 4000.
    bench.feeder.change(toServerRate: 32_000, at: 6_000)
    #expect(bench.feeder.published == 6_000)
    #expect(bench.feeder.timeline.sample(atFrame: 6_000) == 4_000)
    _ = bench.publish()
    #expect(bench.hear(6_000, 500).left == Array(music(8_000)[4_000..<4_500]))
  }
}
