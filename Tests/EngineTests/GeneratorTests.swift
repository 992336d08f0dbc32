import Foundation
import Kernels
import Models
import Synchronization
import TestSupport
import Testing

@testable import Engine

/// An audio server without audio: plays periods in real time or as told, and records what it got.
private final class FakeServer {
  let exchange = AudioExchange(seconds: 2)
  let generator: Generator
  let period = 256
  var head = 0
  /// Left channel from frame 0; NaN where nothing was ready.
  var heard: [Float] = []
  var signal: (Int) -> Float = { _ in 0 }
  var reports: [EngineReport] = []

  init(rate: Int = 48000, instrument: Instrument? = nil) throws {
    exchange.sampleRate.store(rate, ordering: .releasing)
    exchange.period.store(period, ordering: .releasing)
    generator = Generator(
      instrument: try instrument ?? tinyInstrument(), exchange: exchange, pool: ComputePool())
    generator.start()
  }

  /// Plays so many frames, `speed` times as fast as real time.
  func play(_ frames: Int, speed: Double = 2) {
    let end = head + frames
    var next = ContinuousClock.now
    var left = [Float](repeating: 0, count: period)
    var right = left
    while head < end {
      let samples = (head..<head + period).map { signal($0) }
      unsafe exchange.input.write(samples, at: head, count: period)
      exchange.head.store(head, ordering: .releasing)
      let ready = unsafe exchange.output.read(at: head, count: period, left: &left, right: &right)
      if ready < period, head >= exchange.joinFrame.load(ordering: .acquiring) {
        exchange.underruns.wrappingAdd(1, ordering: .relaxed)
      }
      heard += left[..<ready] + [Float](repeating: .nan, count: period - ready)
      head += period
      collect()
      let rate = Double(exchange.sampleRate.load(ordering: .relaxed))
      next += .seconds(Double(period) / rate / speed)
      let wait = next - ContinuousClock.now
      if wait > .zero { usleep(UInt32(Double(wait.components.attoseconds) * 1e-12)) }
    }
  }

  func collect() {
    while let report = generator.reports.take() { reports.append(report) }
  }

  func send(_ commands: EngineCommand...) {
    for command in commands { _ = generator.commands.offer(command) }
    _ = generator.commands.offer(.commit)
  }

  var joined: Int? {
    for case .joined(let frame, _) in reports { return frame }
    return nil
  }

  /// Plays until the generated sound has begun.
  func playUntilJoined() -> Int? {
    for _ in 0..<200 {
      if let joined, joined < head { return joined }
      play(period * 8)
    }
    return nil
  }
}

@Suite(.serialized) struct GeneratorTests {
  @Test func musicFromSilenceIsReadyWithoutAGap() throws {
    let server = try FakeServer()
    defer { server.generator.stop() }
    server.send(.play(seconds: 0))
    let joined = try #require(server.playUntilJoined())
    server.play(96000)
    let missing = server.heard[joined...].count { $0.isNaN }
    #expect(missing == 0)
    let isMusic = server.heard[joined...].contains { abs($0) > 0.01 }
    #expect(isMusic)
    #expect(server.generator.realTimeFactor.load(ordering: .relaxed) > 0)
  }

  @Test(arguments: [44100, 48000]) func theContinuationLiesOnTheInputsTimeLine(rate: Int) throws {
    let server = try FakeServer(rate: rate)
    defer { server.generator.stop() }
    var random = TestRandom(seed: 1)
    let noise = (0..<rate).map { _ in 0.3 * random.uniform() }
    server.signal = { noise[$0 % rate] }
    server.play(rate * 2)
    server.send(.guardLoudness(false), .music(MusicControl(.seed, 3)), .play(seconds: 1))
    let joined = try #require(server.playUntilJoined())
    server.play(rate)
    server.generator.deliveries.post(.keep(name: "x"))
    var takes: [TakeMaterial] = []
    for _ in 0..<100 where takes.isEmpty {
      server.play(256 * 4)
      takes = server.generator.takes.take()
    }
    let take = try #require(takes.first)
    #expect(take.promptFrames > 40 && take.promptFrames <= 50)
    // Decode the take by itself and look for what was heard: the place must be the time line's.
    let instrument = try tinyInstrument()
    let clip = try instrument.codec.decode(take.codes, codebooks: 4, pool: ComputePool())
    let resampler = SincResampler(from: 32000, to: rate)
    let length = clip.count * rate / 32000 - 200
    var whole = [Float](repeating: 0, count: length)
    var span = whole.mutableSpan
    resampler.make(0..<length, source: clip.span, sourceStart: 0, into: &span)
    let start = joined + rate / 10
    let excerpt = Array(server.heard[start..<(start + 2000)])
    var best = (place: -1, error: Float.infinity)
    for place in 0..<(length - 2000) {
      var error: Float = 0
      var index = 0
      while index < 2000 && error < best.error {
        let difference = whole[place + index] - excerpt[index]
        error += difference * difference
        index += 1
      }
      if error < best.error { best = (place, error) }
    }
    #expect(best.error < 1e-3)
    // The prompt's frames were played in: sample 0 of the clip is a frame of the encoder's 20 ms grid,
    // which began when the generator started, at frame 0 or a little later.
    let anchor = start - best.place
    // Frames heard until the trigger end at or before the newest one that was there.
    let promptEnd = anchor + take.promptFrames * 640 * rate / 32000
    #expect(promptEnd <= joined && promptEnd > rate * 2 - rate / 10)
    // And the prompt's own sound lies where it was played, to the sample.
    let heardInput = (0..<1600).map { position -> Float in
      let frame = anchor + position * rate / 32000
      return noise[((frame % rate) + rate) % rate]
    }
    #expect(take.promptSound.count == take.promptFrames * 640)
    let offset = bestOffset(of: heardInput, in: take.promptSound, rate: rate)
    #expect(abs(offset) <= 1, "within one model sample, 31 µs")
  }

  /// Offset in samples at which `pattern` (nearest-neighbour resampled noise) fits `sound` best.
  private func bestOffset(of pattern: [Float], in sound: [Float], rate: Int) -> Int {
    var best = (offset: 99, score: -Float.infinity)
    for offset in -40...40 {
      var score: Float = 0
      for index in 50..<1500 { score += pattern[index] * sound[index + offset] }
      if score > best.score { best = (offset, score) }
    }
    return best.offset
  }

  @Test func aKnobIsHeardSoonWithADeepLookahead() throws {
    let server = try FakeServer()
    defer { server.generator.stop() }
    let direction = tinyDirection(try tinyInstrument())
    server.generator.deliveries.post(
      .direction(direction, source: DirectionSource("a/b"), slot: 1, received: 0))
    server.send(.lookahead(1), .music(MusicControl(.alpha, slot: 1, 50)), .play(seconds: 0))
    _ = try #require(server.playUntilJoined())
    server.play(72000, speed: 1)
    #expect(server.generator.ready.load(ordering: .relaxed) > 700)
    var delays: [Double] = []
    for round in 0..<6 {
      let asked = server.head
      server.send(.music(MusicControl(.strength, slot: 1, round % 2 == 0 ? 2 : -2, received: 1)))
      server.play(24000, speed: 1)
      for case .applied(1, _, let frame, _) in server.reports where frame > asked {
        delays.append(Double(frame - asked) / 48000)
        break
      }
    }
    #expect(delays.count == 6)
    #expect(delays.allSatisfy { $0 < 0.2 }, "\(delays)")
    let missing = server.heard[server.joined!...].count { $0.isNaN }
    #expect(missing == 0)
  }

  @Test func numbersThatBreakAreToldAndTheMusicGoesOn() throws {
    let server = try FakeServer()
    defer { server.generator.stop() }
    // Finite by itself, infinite at strength 2.
    let direction = tinyDirection(try tinyInstrument(), sigma: 1e37)
    server.generator.deliveries.post(
      .direction(direction, source: DirectionSource("a/b"), slot: 1, received: 0))
    server.send(.music(MusicControl(.alpha, slot: 1, 100)), .play(seconds: 0))
    _ = try #require(server.playUntilJoined())
    server.play(24000, speed: 1)
    server.reports = []
    server.send(.music(MusicControl(.strength, slot: 1, 2)))
    func isTold() -> Bool {
      server.reports.contains { if case .notice(.broken) = $0 { true } else { false } }
    }
    for _ in 0..<50 where !isTold() { server.play(4800, speed: 1) }
    #expect(isTold())
    // As the control does.
    server.send(.music(MusicControl(.strength, slot: 1, 0)))
    server.play(48000 * 2, speed: 1)
    server.reports = []
    let began = server.heard.count
    server.play(48000, speed: 1)
    #expect(!isTold())
    let missing = server.heard[began...].count { !$0.isFinite }
    #expect(missing == 0)
  }

  @Test func theTransportStartsOnTheBarAndStops() throws {
    let server = try FakeServer()
    defer { server.generator.stop() }
    server.send(.follow(.bar))
    server.play(4800, speed: 1)
    #expect(server.joined == nil)
    // 120 beats per minute, four to the bar: 96000 frames; the next bar line is near.
    let bar = server.head + 30000
    server.exchange.barFrame.store(bar, ordering: .relaxed)
    server.exchange.barLength.store(96000, ordering: .relaxed)
    server.exchange.rolling.store(1, ordering: .relaxed)
    let joined = try #require(server.playUntilJoined())
    #expect(joined >= bar && (joined - bar) % 96000 == 0)
    server.play(24000, speed: 1)
    server.exchange.rolling.store(0, ordering: .relaxed)
    server.play(24000, speed: 1)
    let states = server.reports.compactMap { report -> TransportState? in
      if case .state(let state) = report { state } else { nil }
    }
    #expect(states.suffix(2) == [.playing, .stopped])
  }

  @Test func aTextIsBlendedInWithoutAGapAndBeginsATake() throws {
    let server = try FakeServer()
    defer { server.generator.stop() }
    server.send(.play(seconds: 0))
    let joined = try #require(server.playUntilJoined())
    server.play(60000, speed: 1)
    let asked = server.heard.count
    server.generator.deliveries.post(
      .text(tinyText(try tinyInstrument()), words: "slow and low"))
    server.play(96000, speed: 1)
    let missing = server.heard[joined...].count { $0.isNaN }
    #expect(missing == 0)
    let level = server.heard[(asked + 30000)...].reduce(Float(0)) { $0 + $1 * $1 }
    #expect(level > 0)
    // The music until then is one take, told of by nobody; what follows is told its text.
    let automatic = server.generator.takes.take()
    #expect(automatic.count == 1 && automatic[0].isAutomatic && automatic[0].words.isEmpty)
    server.generator.deliveries.post(.keep(name: "t"))
    var takes: [TakeMaterial] = []
    for _ in 0..<100 where takes.isEmpty {
      server.play(256 * 4)
      takes = server.generator.takes.take()
    }
    let take = try #require(takes.first)
    #expect(take.words == "slow and low" && take.promptFrames > 0)
    // Its prompt is the end of the music before it.
    let tail = Array(automatic[0].codes.suffix(take.promptFrames * 4))
    let same = Array(take.codes.prefix(take.promptFrames * 4)) == tail
    #expect(same)
  }

  @Test func aStallShorterThanTheLookaheadDropsNothing() throws {
    let server = try FakeServer()
    defer { server.generator.stop() }
    server.send(.play(seconds: 0))
    let joined = try #require(server.playUntilJoined())
    server.play(60000, speed: 1)
    server.send(.stall(seconds: 0.5))
    server.play(60000, speed: 1)
    let missing = server.heard[joined...].count { $0.isNaN }
    #expect(missing == 0)
  }

  @Test func theRateMayChangeWhileItPlays() throws {
    let server = try FakeServer()
    defer { server.generator.stop() }
    server.send(.play(seconds: 0))
    _ = try #require(server.playUntilJoined())
    server.play(48000)
    server.exchange.sampleRate.store(44100, ordering: .releasing)
    server.play(44100)
    let tail = server.heard.suffix(30000)
    let missing = tail.count { $0.isNaN }
    #expect(missing == 0)
  }

  @Test func stopFadesAndRestartPlaysOtherMusic() throws {
    let server = try FakeServer()
    defer { server.generator.stop() }
    server.send(.play(seconds: 0))
    _ = try #require(server.playUntilJoined())
    server.send(.stop)
    server.play(9600)
    #expect(server.exchange.leaveFrame.load(ordering: .relaxed) <= server.head)
    server.reports = []
    server.send(.restart(seed: 5))
    _ = try #require(server.playUntilJoined())
    #expect(server.exchange.leaveFrame.load(ordering: .relaxed) == AudioExchange.never)
  }

  @Test func aSlowMachineGivesWayInOrderSaysItOnceAndRecovers() throws {
    let server = try FakeServer()
    defer { server.generator.stop() }
    let direction = tinyDirection(try tinyInstrument())
    server.generator.deliveries.post(
      .direction(direction, source: DirectionSource("a/b"), slot: 1, received: 0))
    server.send(.play(seconds: 0))
    let joined = try #require(server.playUntilJoined())
    server.play(72000, speed: 1)
    func notices() -> [EngineNotice] {
      server.reports.compactMap { if case .notice(let notice) = $0 { notice } else { nil } }
    }
    // A step's music lasts 20 ms.
    server.send(.slow(seconds: 0.03))
    server.play(48000 * 8, speed: 1)
    let said = notices().filter { $0 != .nothingHeard }
    #expect(said == [.keepsLessReady, .skipsExtras, .padsSilence])
    let missing = server.heard[joined...].count { $0.isNaN }
    #expect(missing > 0)
    // Meters of the knob at rest stand still now.
    server.reports = []
    server.play(24000, speed: 1)
    let isRead = server.reports.contains { if case .meter = $0 { true } else { false } }
    #expect(!isRead)
    server.send(.slow(seconds: 0))
    for _ in 0..<60 where notices().isEmpty { server.play(48000, speed: 1) }
    #expect(notices() == [.recovered])
    // The take knows when its knobs were not read.
    server.generator.deliveries.post(.keep(name: "x"))
    var takes: [TakeMaterial] = []
    for _ in 0..<100 where takes.isEmpty {
      server.play(256 * 4)
      takes = server.generator.takes.take()
    }
    let extras = try #require(takes.first).score.filter { $0.message.path == "/engine/extras" }
    #expect(extras.map(\.message.arguments) == [[.int(0)], [.int(1)]])
  }
}
