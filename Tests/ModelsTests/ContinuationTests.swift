import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Continuation")
struct ContinuationTests {
  private let pool = ComputePool(threads: 2)

  private func make(
    _ name: String, prompt: [[Float]], newFrames: Int, seed: UInt64 = 1
  ) throws -> (sound: [[Float]], codes: [Int32], model: MusicGen) {
    let model = try MusicGen(folder: fixture("MusicGen/\(name)/model"))
    let continuation = try Continuation(
      model: model, prompt: prompt, text: nil, newFrames: newFrames,
      settings: SamplingSettings(seed: seed), pool: pool)
    var sound = [[Float]](repeating: [], count: model.channels)
    try continuation.run(afterStep: { _ in }) { block in
      for channel in block.indices { sound[channel] += block[channel] }
    }
    return (sound, continuation.generator.codes(0..<continuation.frames), model)
  }

  @Test("the sound in blocks is the sound of all codes at once", arguments: ["mono", "stereo"])
  func blocks(name: String) throws {
    var random = TestRandom(seed: 8)
    let prompt = (0..<(name == "mono" ? 1 : 2)).map { _ in random.normal(640 * 13, scale: 0.2) }
    let (sound, codes, model) = try make(name, prompt: prompt, newFrames: 34)
    let whole = try model.decode(codes, pool: pool)
    #expect(sound.count == whole.count && sound[0].count == 640 * 47)
    let peak = whole.joined().reduce(0) { max($0, abs($1)) }
    for (streamed, expected) in zip(sound, whole) {
      #expect(zip(streamed, expected).allSatisfy { abs($0 - $1) <= 1e-5 * peak })
    }
    #expect(
      Array(codes.prefix(13 * model.config.decoder.codebooks))
        == (try model.encode(prompt, pool: pool)))
  }

  @Test("nothing to continue and nothing to make give nothing")
  func empty() throws {
    let (sound, codes, _) = try make("mono", prompt: [[]], newFrames: 0)
    #expect(sound == [[]] && codes.isEmpty)
  }

  @Test("numbers that break stop the work, with the step")
  func broken() throws {
    let model = try MusicGen(folder: fixture("MusicGen/mono/model"))
    let config = model.languageModel.config
    let (count, dimension) = (config.layers * config.heads, config.hidden / config.heads)
    let accuracy = (0..<count).map { 0.6 + 0.01 * Float($0) }
    let ones = [Float](repeating: 1, count: count * dimension)
    // A push that is finite by itself and infinite at this dose.
    let probes = ProbeSet(
      layers: config.layers, heads: config.heads, headDimension: dimension, theta: ones,
      bias: accuracy, sigma: [Float](repeating: 3e38, count: count), accuracyTrain: accuracy,
      accuracyTest: accuracy, meanDifference: ones)
    let steering = Steering(layers: config.layers, width: config.hidden)
    steering.place(
      SteeringDirection(
        probes: probes, options: DirectionOptions(),
        projections: model.languageModel.layers.map(\.attentionOutput), pool: pool), slot: 0)
    steering.settings[0].strength = 2
    steering.settings[0].alpha = 100
    let continuation = try Continuation(
      model: model, prompt: [[]], text: nil, newFrames: 20, settings: SamplingSettings(),
      steering: steering, pool: pool)
    var sounds = 0
    #expect(throws: ContinuationError.self) {
      try continuation.run(afterStep: { _ in }) { _ in sounds += 1 }
    }
    #expect(sounds == 0)
  }

  @Test("what `afterStep` throws stops the work")
  func stopped() throws {
    struct Stop: Error {}
    let model = try MusicGen(folder: fixture("MusicGen/mono/model"))
    let continuation = try Continuation(
      model: model, prompt: [[]], text: nil, newFrames: 50, settings: SamplingSettings(),
      pool: pool)
    #expect(throws: Stop.self) {
      try continuation.run(
        afterStep: { if $0.wholeFrames > 5 { throw Stop() } }, sound: { _ in })
    }
    #expect(continuation.generator.wholeFrames == 6)
  }
}
