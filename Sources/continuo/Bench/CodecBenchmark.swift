// Times the codec of the published 32 kHz size, with random weights: whole clips both ways, and the
// decoder in pieces as the live player uses it.

import Foundation
import Kernels
import Models

struct CodecBenchmark {
  let seconds: Double
  let rounds: Int
  let pool: ComputePool

  /// The settings of the published codec that MusicGen uses.
  static let published =
    #"""
    {"sampling_rate": 32000, "hidden_size": 128, "num_filters": 64, "codebook_size": 2048,
     "upsampling_ratios": [8, 5, 4, 4], "use_causal_conv": false, "use_conv_shortcut": false,
     "target_bandwidths": [2.2], "pad_mode": "reflect"}
    """#

  func run() throws -> [WholeMeasurement] {
    let config = try EnCodecConfig(json: Data(Self.published.utf8))
    let codec = try EnCodec(config: config, weights: .random(codebooks: 4))
    let compact = try EnCodec(config: config, weights: .random(codebooks: 4), compact: true)
    let steps = max(1, Int(seconds * 50))
    var state: UInt32 = 1
    func next() -> UInt32 {
      state = state &* 1_664_525 &+ 1_013_904_223
      return state >> 8
    }
    let codes = (0..<steps * 4).map { _ in Int32(next() % 2048) }
    let samples = (0..<steps * codec.hop).map { _ in Float(next() % 20_001) / 1e5 - 0.1 }
    var results: [WholeMeasurement] = []
    func best(_ what: String, _ body: () throws -> Double) rethrows {
      let least = try (0..<rounds).reduce(Double.infinity) { least, _ in min(least, try body()) }
      results.append(
        WholeMeasurement(what: what, secondsPerSecond: least / (Double(steps) / 50)))
    }
    try best("published codec: decode") {
      try elapsed { _ = try codec.decode(codes, pool: pool) }
    }
    try best("published codec: encode") {
      try elapsed { _ = try codec.encode(samples, pool: pool) }
    }
    // Between two pieces of a live stream the language model reads its weights, and the codec's are
    // gone from the caches: reading 64 MB stands for that, untimed.
    let others = MemoryBandwidth(megabytes: 64)
    for (codec, piece, isCold) in [
      (codec, 1, false), (codec, 1, true), (codec, 5, true), (compact, 1, true), (compact, 5, true),
    ] {
      let decoder = EnCodecDecoderState(codec: codec)
      var audio = [Float](repeating: 0, count: (piece + 4) * codec.hop)
      best(
        "decode by \(piece), \(isCold ? "cold" : "warm") caches, \(codec.isCompact ? "16" : "32") bits"
      ) {
        decoder.reset()
        var total = 0.0
        for first in stride(from: 0, to: steps, by: piece) {
          if isCold { others.read(pool: pool) }
          let count = min(piece, steps - first)
          total += elapsed {
            var output = audio.mutableSpan
            _ = decoder.push(
              codes.span.extracting(first * 4..<(first + count) * 4), count: count, into: &output,
              pool: pool)
          }
        }
        return total
      }
    }
    return results
  }

  private func elapsed(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    let (whole, parts) = (ContinuousClock.now - start).components
    return Double(whole) + Double(parts) * 1e-18
  }
}
