import Foundation
import Kernels
import Testing

@testable import Models

@Suite("EnCodec")
struct EnCodecTests {
  @Test("computes the reference's latents and audio", arguments: EnCodecFixture.names)
  func reference(name: String) throws {
    let fixture = try EnCodecFixture(name)
    let pool = ComputePool(threads: 2)
    #expect(fixture.cases.count == 7)
    for (number, it) in fixture.cases.enumerated() {
      let latents = try fixture.codec.latents(of: it.samples, pool: pool)
      #expect(relativeError(latents, it.latents) <= 2e-5, "latents of case \(number)")
      let decoded = try fixture.codec.decode(it.codes, pool: pool)
      #expect(relativeError(decoded, it.decoded) <= 2e-5, "audio of case \(number)")
    }
  }

  @Test(
    "gives the reference's codes except where its two best are equally good",
    arguments: EnCodecFixture.names)
  func codes(name: String) throws {
    let fixture = try EnCodecFixture(name)
    let books = fixture.codec.codebooks
    for it in fixture.cases {
      let codes = try fixture.codec.encode(it.samples, pool: ComputePool())
      #expect(codes.count == it.codes.count)
      for step in 0..<it.codes.count / books {
        // What follows a coin toss within a step follows from it.
        for book in 0..<books {
          let index = step * books + book
          if it.gaps[index] < 1e-5 { break }
          #expect(codes[index] == it.codes[index])
        }
      }
    }
  }

  @Test("the error of a compact decoder is 90 dB below the sound, and codes are the same")
  func compact() throws {
    for name in EnCodecFixture.names {
      let fixture = try EnCodecFixture(name)
      let pool = ComputePool(threads: 2)
      let store = try TensorStore(file: EnCodecFixture.url(name))
      let compact = try EnCodec(
        config: fixture.config, weights: EnCodecWeights(store: store), compact: true)
      let it = try #require(fixture.cases.last)
      let exact = try fixture.codec.decode(it.codes, pool: pool)
      let rounded = try compact.decode(it.codes, pool: pool)
      func energy(_ x: [Float]) -> Double { x.reduce(0) { $0 + Double($1) * Double($1) } }
      let noise = energy(zip(exact, rounded).map { $0 - $1 })
      #expect(noise > 0 && noise < 1e-9 * energy(exact), "\(name)")
      #expect(
        try compact.encode(it.samples, pool: pool) == fixture.codec.encode(it.samples, pool: pool))
    }
  }

  @Test("looks as far ahead as the published sizes say")
  func lookahead() throws {
    var config = EnCodecConfig()
    config.upsamplingRatios = [8, 5, 4, 4]
    config.samplingRate = 32_000
    config.useCausalConvolution = false
    config.useConvolutionShortcut = false
    config.filters = 2
    config.hiddenSize = 4
    config.codebookDimension = 4
    config.codebookSize = 16
    config.targetBandwidths = [0.8]
    let codec = try randomCodec(config)
    #expect(codec.hop == 640)
    #expect(codec.codebooks == 4)
    #expect(codec.decoderLookahead == 2402)
    #expect(abs(Double(codec.encoderLookahead) / 32 - 74.6) < 0.05)
  }
}
