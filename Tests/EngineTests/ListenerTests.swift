import Kernels
import Synchronization
import TestSupport
import Testing

@testable import Engine
@testable import Models

/// A listener of the tiny instrument, and a musician who plays into the ring.
private final class Room {
  static let instrument = Result { try tinyInstrument() }

  let instrument: Instrument
  let exchange = AudioExchange(seconds: 1)
  let listener: Listener
  private(set) var frame = 0

  /// - Parameter rate: of the server; 32000 is the codec's own, and nothing is resampled.
  init(rate: Int = 32_000) throws {
    instrument = try Self.instrument.get()
    exchange.sampleRate.store(rate, ordering: .releasing)
    listener = Listener(instrument: instrument, exchange: exchange, pool: ComputePool())
    listener.restart(at: 0)
  }

  func play(_ samples: [Float]) {
    unsafe samples.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      unsafe exchange.input.write(base, at: frame, count: buffer.count)
    }
    frame += samples.count
  }

  /// Nothing is played, for the server skips so many frames.
  func skip(_ frames: Int) { frame += frames }
}

@Suite struct ListenerTests {
  private func music(_ count: Int, seed: UInt64 = 1) -> [Float] {
    var random = TestRandom(seed: seed)
    return random.normal(count, scale: 0.3)
  }

  @Test func whatWasHeardIsTheCodesOfTheWholeClip() throws {
    let room = try Room()
    let samples = music(12_800)
    room.play(samples)
    let heard = room.listener.heard(seconds: 10)
    #expect(heard.firstFrame == 0)
    #expect(heard.sound == samples)
    #expect(heard.codes == (try room.instrument.codec.encode(samples, pool: ComputePool())))
  }

  @Test func listeningInPiecesChangesNothing() throws {
    let (room, other) = (try Room(rate: 48_000), try Room(rate: 48_000))
    let samples = music(36_000)
    room.play(samples)
    var random = TestRandom(seed: 4)
    var rest = samples[...]
    while !rest.isEmpty {
      let count = min(rest.count, Int.random(in: 1...2_000, using: &random))
      other.play(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
      while other.listener.listen(seconds: 0.01) {}
    }
    let (one, two) = (room.listener.heard(seconds: 30), other.listener.heard(seconds: 30))
    #expect(one.codes == two.codes && one.firstFrame == two.firstFrame)
    #expect(one.sound == two.sound && !one.codes.isEmpty)
  }

  @Test func askingDoesNotDisturbTheListening() throws {
    let (room, undisturbed) = (try Room(), try Room())
    for piece in 0..<6 {
      let samples = music(1_900, seed: UInt64(piece))
      room.play(samples)
      undisturbed.play(samples)
      let first = room.listener.heard(seconds: 30)
      let again = room.listener.heard(seconds: 30)
      #expect(first.codes == again.codes)
    }
    let (one, two) = (room.listener.heard(seconds: 30), undisturbed.listener.heard(seconds: 30))
    #expect(one.codes == two.codes && one.sound == two.sound)
  }

  @Test func onlyTheLastSecondsAndOnlyWholeFramesAreGiven() throws {
    let room = try Room()
    let samples = music(640 * 20 + 639)
    room.play(samples)
    // 0.1 s are five frames of 20 ms; the unfinished 21st is not known.
    let heard = room.listener.heard(seconds: 0.1)
    #expect(heard.codes.count == 5 * room.instrument.codebooks)
    #expect(heard.sound == Array(samples[640 * 15..<640 * 20]))
    #expect(heard.firstFrame == 640 * 15)
    #expect(room.listener.heard(seconds: 0).codes.isEmpty)
  }

  @Test func silenceBeforeTheFirstNoteIsNoMusic() throws {
    let room = try Room()
    let heard = room.listener.heard(seconds: 10)
    #expect(heard.codes.isEmpty && heard.sound.isEmpty)
    #expect(!room.listener.listen() && room.listener.level(seconds: 1) == 0)
  }

  @Test func thePlaceOfTheFirstFrameIsOnTheServersClock() throws {
    let room = try Room(rate: 48_000)
    room.play(music(48_000))
    let heard = room.listener.heard(seconds: 0.5)
    let frames = heard.codes.count / room.instrument.codebooks
    #expect(frames == 25)
    // 640 samples at 32 kHz are 960 frames at 48 kHz.
    #expect(heard.firstFrame % 960 == 0)
    #expect((48_000 - 2 * 960...48_000).contains(heard.firstFrame + frames * 960))
  }

  @Test func anotherRateBeginsAnewWhereTheMusicIsNow() throws {
    let room = try Room()
    room.play(music(12_800))
    #expect(!room.listener.heard(seconds: 10).codes.isEmpty)
    room.exchange.sampleRate.store(48_000, ordering: .releasing)
    #expect(room.listener.heard(seconds: 10).codes.isEmpty)
    room.play(music(9_600))
    let heard = room.listener.heard(seconds: 10)
    #expect(heard.firstFrame == 12_800)
    #expect((8...10).contains(heard.codes.count / room.instrument.codebooks))
  }

  @Test func whatTheRingHasLostIsNotWaitedFor() throws {
    let room = try Room()
    room.play(music(6_400))
    _ = room.listener.listen(seconds: 1)
    let capacity = 6 * 192_000
    room.skip(capacity)
    let samples = music(12_800, seed: 3)
    let began = room.frame
    room.play(samples)
    let heard = room.listener.heard(seconds: 10)
    #expect(heard.firstFrame == began && heard.sound == samples)
    #expect(heard.codes == (try room.instrument.codec.encode(samples, pool: ComputePool())))
  }

  @Test func atMostSoMuchIsTakenInAtATime() throws {
    let room = try Room()
    room.play(music(10_000))
    #expect(room.listener.listen(seconds: 0.1), "there is more")
    #expect(room.listener.listen(seconds: 0.2))
    #expect(!room.listener.listen(seconds: 1), "now all is heard")
    #expect(!room.listener.listen(seconds: 1))
  }

  @Test func theLevelIsTheRootMeanSquareOfTheLastMoments() throws {
    let room = try Room()
    room.play([Float](repeating: 0.5, count: 6_400))
    room.play((0..<6_400).map { $0 % 2 == 0 ? 0.25 : -0.25 })
    while room.listener.listen() {}
    #expect(abs(room.listener.level(seconds: 0.1) - 0.25) < 1e-6)
    let both = ((0.25 + 0.0625) / 2 as Float).squareRoot()
    #expect(abs(room.listener.level(seconds: 0.4) - both) < 1e-4)
  }
}
