import Audio
import Foundation
import TestSupport
import Testing

@Suite("Resampler")
struct ResamplerTests {
  @Test(
    "a tone stays itself: same phase, same height, at every pair of rates",
    arguments: [
      (8_000, 32_000), (44_100, 32_000), (48_000, 32_000), (192_000, 32_000), (32_000, 48_000),
      (32_000, 44_100), (11_025, 32_000),
    ])
  func tones(from: Int, to: Int) throws {
    let output = try Resampler.resample(
      tone(from, rate: from), from: from, to: to, quality: .veryHigh)
    let expected = tone(to, rate: to)
    #expect(output.count == expected.count)
    // Edges ring, because the tone starts and stops at once: compare the middle.
    let middle = to / 8..<to - to / 8
    let worst = middle.map { abs(output[$0] - expected[$0]) }.max()!
    #expect(worst < 1e-4)
  }

  @Test("the length is the nearest to the exact one, for odd lengths too")
  func lengths() throws {
    var random = TestRandom(seed: 5)
    for _ in 0..<40 {
      let count = Int.random(in: 0...3_000, using: &random)
      let output = try Resampler.resample(
        [Float](repeating: 0.1, count: count), from: 44_100, to: 32_000)
      #expect(output.count == Int((Double(count) * 320 / 441).rounded()))
    }
  }

  @Test("a stream in blocks of any size equals the whole clip")
  func streaming() throws {
    let input = tone(20_000, rate: 44_100)
    let whole = try Resampler.resample(input, from: 44_100, to: 32_000)
    var random = TestRandom(seed: 2)
    for _ in 0..<5 {
      var stream = try Resampler(from: 44_100, to: 32_000)
      var output: [Float] = []
      var block = [Float](repeating: 0, count: 700)
      var used = 0
      while used < input.count {
        let end = min(input.count, used + Int.random(in: 0...900, using: &random))
        var room = block.mutableSpan
        let step = stream.process(input.span.extracting(used..<end), into: &room)
        used += step.used
        output += block[0..<step.made]
      }
      while true {
        var room = block.mutableSpan
        let made = stream.drain(into: &room)
        if made == 0 { break }
        output += block[0..<made]
      }
      #expect(abs(output.count - whole.count) <= 1)
      #expect(zip(output, whole).allSatisfy { abs($0 - $1) < 1e-6 })
    }
  }

  @Test("after a reset nothing of the past is heard")
  func reset() throws {
    var stream = try Resampler(from: 48_000, to: 32_000)
    var block = [Float](repeating: 0, count: 4_000)
    var room = block.mutableSpan
    _ = stream.process(tone(3_000, rate: 48_000).span, into: &room)
    stream.reset()
    let silence = [Float](repeating: 0, count: 4_800)
    var output = block.mutableSpan
    let made = stream.process(silence.span, into: &output).made
    #expect(made > 0 && block[0..<made].allSatisfy { $0 == 0 })
  }

  @Test("equal rates pass everything through at once")
  func equalRates() throws {
    var stream = try Resampler(from: 32_000, to: 32_000)
    let input: [Float] = [1, 2, 3]
    var block: [Float] = [0, 0, 0, 0]
    var room = block.mutableSpan
    #expect(stream.process(input.span, into: &room) == (3, 3))
    #expect(block == [1, 2, 3, 0] && stream.delay == 0)
  }

  @Test("rates beyond sense are refused with their value", arguments: [0.0, -1, .nan, 1e9])
  func absurd(rate: Double) {
    #expect(throws: ResamplerError.self) { _ = try Resampler(from: rate, to: 32_000) }
  }
}
