import Kernels
import TestSupport
import Testing

@testable import Models

/// Rows through one side of the codec, whatever that side is.
@Suite("EnCodec stream")
struct EnCodecStreamTests {
  private let pool = ComputePool()

  /// Pushes `rows` in pieces of at most `largest` rows and ends the signal.
  private func output(
    _ stream: EnCodecStream, _ rows: [Float], channels: Int, largest: Int, width: Int, room: Int
  ) -> [Float] {
    var result = [Float](repeating: .nan, count: room * width)
    var target = result.mutableSpan
    var written = 0
    var random = TestRandom(seed: 5)
    var rest = rows[...]
    while !rest.isEmpty {
      let count = min(Int.random(in: 0...largest, using: &random), rest.count / channels)
      let piece = Array(rest.prefix(count * channels))
      written += stream.push(piece.span, count: count, into: &target, at: written, pool: pool)
      rest = rest.dropFirst(count * channels)
    }
    written += stream.finish(into: &target, at: written, pool: pool)
    return Array(result.prefix(written * width))
  }

  @Test(
    "the size of blocks and pieces changes nothing, in both directions",
    arguments: EnCodecFixture.names)
  func blocks(name: String) throws {
    let codec = try EnCodecFixture(name).codec
    let (audio, width) = (codec.config.audioChannels, codec.config.hiddenSize)
    var random = TestRandom(seed: 1)
    let steps = 13
    let samples = random.normal(steps * codec.hop * audio, scale: 0.3)
    let latents = random.normal(steps * width)
    func encoded(block: Int, largest: Int) -> [Float] {
      output(
        EnCodecStream(network: codec.encoder, blockRows: block), samples, channels: audio,
        largest: largest, width: width, room: steps)
    }
    func decoded(block: Int, largest: Int) -> [Float] {
      output(
        EnCodecStream(network: codec.decoder, blockRows: block), latents, channels: width,
        largest: largest, width: audio, room: steps * codec.hop)
    }
    let (codes, sound) = (encoded(block: 10_000, largest: 9_000), decoded(block: 20, largest: 20))
    #expect(codes.count == steps * width && sound.count == steps * codec.hop * audio)
    #expect(codes.allSatisfy(\.isFinite) && sound.allSatisfy(\.isFinite))
    // One row at a time, and pieces larger than a block.
    for (block, largest) in [(1, 1), (1, 7), (5, 3), (7, 50)] {
      #expect(decoded(block: block, largest: largest) == sound, "\(block) by \(largest)")
    }
    for (block, largest) in [(1, 999), (17, 400), (codec.hop + 1, 33)] {
      #expect(encoded(block: block, largest: largest) == codes, "\(block) by \(largest)")
    }
  }

  @Test("rows go where they are told, and nothing before them is touched")
  func place() throws {
    let codec = try EnCodecFixture("musicgen").codec
    let width = codec.config.hiddenSize
    var random = TestRandom(seed: 2)
    let latents = random.normal(10 * width)
    let stream = EnCodecStream(network: codec.decoder, blockRows: 4)
    var sound = [Float](repeating: 9, count: 11 * codec.hop)
    var target = sound.mutableSpan
    let written = stream.push(latents.span, count: 10, into: &target, at: 100, pool: pool)
    #expect(sound[..<100].allSatisfy { $0 == 9 })
    #expect(sound[(100 + written)...].allSatisfy { $0 == 9 })
    stream.reset()
    var other = [Float](repeating: 9, count: 11 * codec.hop)
    var again = other.mutableSpan
    #expect(stream.push(latents.span, count: 10, into: &again, pool: pool) == written)
    #expect(Array(other[..<written]) == Array(sound[100..<100 + written]))
  }

  @Test("nothing in, nothing out; and after a reset the stream is as new")
  func empty() throws {
    for name in EnCodecFixture.names {
      let codec = try EnCodecFixture(name).codec
      let width = codec.config.hiddenSize
      let stream = EnCodecStream(network: codec.decoder, blockRows: 4)
      var sound = [Float](repeating: 9, count: 4 * codec.hop * codec.config.audioChannels)
      var target = sound.mutableSpan
      #expect(stream.push(Span(), count: 0, into: &target, pool: pool) == 0)
      #expect(stream.finish(into: &target, pool: pool) == 0)
      #expect(sound.allSatisfy { $0 == 9 })
      stream.reset()
      var random = TestRandom(seed: 3)
      let latents = random.normal(3 * width)
      let fresh = EnCodecStream(network: codec.decoder, blockRows: 4)
      func play(_ stream: EnCodecStream) -> [Float] {
        output(
          stream, latents, channels: width, largest: 2, width: codec.config.audioChannels,
          room: 3 * codec.hop)
      }
      #expect(play(stream) == play(fresh), "\(name)")
    }
  }
}
