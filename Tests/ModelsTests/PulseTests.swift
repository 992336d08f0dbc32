import TestSupport
import Testing

@testable import Models

@Suite("Pulse")
struct PulseTests {
  private let cardinality = 64
  private let quantiser: ResidualQuantiser

  init() {
    var random = TestRandom(seed: 31)
    quantiser = ResidualQuantiser(
      entries: (0..<2).map { _ in random.normal(64 * 8) }, cardinality: 64, width: 8)
  }

  private func pulse(channels: Int = 1) -> Pulse {
    Pulse(quantiser: quantiser, codebooks: 2 * channels, channels: channels)
  }

  /// `frames` frames of `books` codes that come round every `bar` frames, but for a share of them.
  private func music(
    bar: Double, frames: Int, books: Int = 2, changed: Double = 0, seed: UInt64 = 1
  ) -> [Int32] {
    var random = TestRandom(seed: seed)
    func code() -> Int32 { Int32.random(in: 0..<64, using: &random) }
    let loop = (0..<Int(bar.rounded(.up)) * books).map { _ in code() }
    return (0..<frames).flatMap { frame in
      let place = Int(Double(frame).truncatingRemainder(dividingBy: bar))
      let isChanged = Double.random(in: 0..<1, using: &random) < changed
      return (0..<books).map { isChanged ? code() : loop[place * books + $0] }
    }
  }

  @Test("finds after how many frames music comes round", arguments: [24, 40, 57, 96, 150, 200])
  func bar(bar: Int) throws {
    let codes = music(bar: Double(bar), frames: 500, changed: 0.3)
    let beat = try #require(pulse().beat(of: codes))
    #expect(Pulse.beats.contains(beat))
    let theme = pulse().theme(of: codes)
    #expect(theme.count % (bar * 2) == 0 && !theme.isEmpty)
  }

  @Test("beats that are no whole number of frames, and more music than is listened to")
  func fractions() throws {
    let codes = music(bar: 83.4, frames: 700, changed: 0.2)
    let beat = try #require(pulse().beat(of: codes))
    let beats = 83.4 / beat
    #expect(abs(beats - beats.rounded()) < 0.03 * beats, "\(beat)")
    let bars = Double(pulse().theme(of: codes).count / 2) / 83.4
    #expect(bars >= 1 && abs(bars - bars.rounded()) < 0.02, "\(bars)")
  }

  @Test("a theme is whole bars from the prompt's end, of 2 to 8 s")
  func theme() {
    let codes = music(bar: 60, frames: 500, changed: 0.1)
    let theme = pulse().theme(of: codes)
    let frames = theme.count / 2
    #expect(frames % 60 == 0 && (100...400).contains(frames))
    #expect(Array(codes.suffix(theme.count)) == theme)
    // Of three seconds no lag above two can be judged.
    let short = pulse().theme(of: music(bar: 45, frames: 150))
    #expect(short.count == 90 * 2)
  }

  @Test("of stereo codes the first channel is heard, and all are kept")
  func stereo() {
    let left = music(bar: 70, frames: 400)
    let right = music(bar: 70, frames: 400, changed: 1, seed: 5)
    let both = left.indices.flatMap { [left[$0], right[$0]] }
    let stereo = pulse(channels: 2)
    #expect(stereo.beat(of: both) == pulse().beat(of: left))
    let theme = stereo.theme(of: both)
    #expect(theme.count % (70 * 4) == 0 && !theme.isEmpty)
  }

  @Test("too little music, silence and codes that are none have no pulse and do no harm")
  func nothing() {
    #expect(pulse().beat(of: []) == nil)
    #expect(pulse().theme(of: music(bar: 40, frames: 149)).isEmpty)
    #expect(pulse().beat(of: [Int32](repeating: 3, count: 1000)) == nil)
    #expect(pulse().theme(of: [Int32](repeating: 3, count: 1000)).isEmpty)
    _ = pulse().theme(of: [Int32](repeating: 64, count: 1000))
    _ = pulse().theme(of: [Int32](repeating: -1, count: 1000))
  }
}
