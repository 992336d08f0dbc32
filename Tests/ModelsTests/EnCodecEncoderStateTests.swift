import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("EnCodec encoder state")
struct EnCodecEncoderStateTests {
  /// Latents of samples that come in pieces of random size.
  private func latents(
    _ samples: [Float], _ state: EnCodecEncoderState, random: inout TestRandom
  ) -> [Float] {
    let pool = ComputePool(threads: 2)
    let channels = state.codec.config.audioChannels
    let width = state.codec.config.hiddenSize
    var result: [Float] = []
    func collect(frames: Int, _ fill: (inout MutableSpan<Float>) -> Int) {
      var rows = [Float](repeating: 0, count: state.room(frames: frames) * width)
      var span = rows.mutableSpan
      let steps = fill(&span)
      result += rows.prefix(steps * width)
    }
    var rest = samples[...]
    while !rest.isEmpty {
      let frames = min(
        Int.random(in: 0...3 * state.codec.hop, using: &random), rest.count / channels)
      let piece = Array(rest.prefix(frames * channels))
      collect(frames: frames) {
        state.push(piece.span, frames: frames, intoLatents: &$0, pool: pool)
      }
      rest = rest.dropFirst(frames * channels)
    }
    collect(frames: 0) { state.finish(intoLatents: &$0, pool: pool) }
    return result
  }

  @Test("streams what the whole clip gives, whatever the pieces", arguments: EnCodecFixture.names)
  func chunks(name: String) throws {
    let codec = try EnCodecFixture(name).codec
    var random = TestRandom(seed: 8)
    for clip in 0..<25 {
      let frames = clip < 5 ? clip + 1 : Int.random(in: 1...40 * codec.hop, using: &random)
      let samples = random.normal(frames * codec.config.audioChannels, scale: 0.3)
      let whole = try codec.latents(of: samples, pool: ComputePool())
      let state = EnCodecEncoderState(
        codec: codec, blockSteps: Int.random(in: 1...12, using: &random))
      let streamed = latents(samples, state, random: &random)
      #expect(streamed == whole, "\(frames) frames")
      #expect(state.stepsGiven == (frames + codec.hop - 1) / codec.hop)
    }
  }

  @Test("gives a step when its look-ahead has come, not a frame earlier or later")
  func finality() throws {
    for name in EnCodecFixture.names {
      let codec = try EnCodecFixture(name).codec
      let channels = codec.config.audioChannels
      let pool = ComputePool()
      var random = TestRandom(seed: 9)
      let steps = 12
      let frames = steps * codec.hop + codec.encoderLookahead
      let samples = random.normal(frames * channels, scale: 0.3)
      let state = EnCodecEncoderState(codec: codec)
      var codes = [Int32](repeating: 0, count: (steps + 1) * state.codebooks)
      var span = codes.mutableSpan
      let early = state.push(samples.span, frames: frames - 1, into: &span, pool: pool)
      #expect(early == steps - 1, "\(name)")
      let last = Array(samples.suffix(channels))
      let now = state.push(last.span, frames: 1, into: &span, pool: pool)
      #expect(now == 1, "\(name)")
    }
  }

  @Test("streamed codes are those of the whole clip, and silence replaces what is no number")
  func codes() throws {
    let codec = try EnCodecFixture("musicgen").codec
    let pool = ComputePool()
    var random = TestRandom(seed: 10)
    let clean = random.normal(5_000, scale: 0.3)
    var dirty = clean
    var silenced = clean
    for index in [0, 77, 4_999] {
      dirty[index] = index == 77 ? .infinity : .nan
      silenced[index] = 0
    }
    let state = EnCodecEncoderState(codec: codec, blockSteps: 2)
    func stream(_ samples: [Float]) -> [Int32] {
      state.reset()
      var codes = [Int32](repeating: -1, count: 8 * state.codebooks)
      var span = codes.mutableSpan
      let first = state.push(samples.span, frames: samples.count, into: &span, pool: pool)
      var rest = [Int32](repeating: -1, count: state.room(frames: 0) * state.codebooks)
      var end = rest.mutableSpan
      #expect(first + state.finish(into: &end, pool: pool) == 8)
      return Array(codes.prefix(first * state.codebooks)) + rest
    }
    #expect(try stream(clean) == codec.encode(clean, pool: pool))
    #expect(stream(dirty) == stream(silenced))
    #expect(throws: EnCodecError.self) { try codec.encode(dirty, pool: pool) }
  }

  @Test("returns to a snapshot and goes on bit for bit as before")
  func snapshots() throws {
    let codec = try EnCodecFixture("musicgen").codec
    let pool = ComputePool()
    var random = TestRandom(seed: 11)
    let state = EnCodecEncoderState(codec: codec, blockSteps: 2)
    let (first, second) = (random.normal(3_001), random.normal(2_500))
    func push(_ samples: [Float]) -> [Float] {
      var rows = [Float](
        repeating: 0, count: state.room(frames: samples.count) * codec.config.hiddenSize)
      var span = rows.mutableSpan
      let steps = state.push(samples.span, frames: samples.count, intoLatents: &span, pool: pool)
      return Array(rows.prefix(steps * codec.config.hiddenSize))
    }
    let snapshot = state.makeSnapshot()
    _ = push(first)
    state.save(to: snapshot)
    let expected = push(second)
    _ = push(first)
    state.restore(from: snapshot)
    #expect(push(second) == expected)
    #expect(!expected.isEmpty)
  }
}
