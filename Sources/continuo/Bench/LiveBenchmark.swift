// Times everything that the live engine does for a second of music, at full context: steps with eight
// knobs turned, probes read, sampling, the streaming decoder with its snapshots, resampling to 48 kHz.

import Engine
import Foundation
import Kernels
import Models

struct LiveBenchmark {
  let size: ModelSize
  /// A model's folder; random weights of `size` with a codec of the published size when nil.
  let folder: URL?
  let formats: [WeightFormat]
  let pool: ComputePool

  /// Frames of prompt and of new music: the positions 1,100 to 1,500 of a window of 1,500. During the last
  /// 200 the next window is filled.
  private static let (prompt, frames) = (1_099, 400)

  func run() throws -> [WholeMeasurement] {
    try formats.flatMap { format in
      let instrument = try instrument(format)
      return run(instrument, format)
    }
  }

  private func instrument(_ format: WeightFormat) throws -> Instrument {
    if let folder {
      let model = try MusicGen(folder: folder, weights: format, pool: pool)
      return Instrument(languageModel: model.languageModel, codec: model.codec)
    }
    let config = try EnCodecConfig(json: Data(CodecBenchmark.published.utf8))
    return Instrument(
      languageModel: randomModel(size.config, format: format, pool: pool),
      codec: try EnCodec(
        config: config, weights: .random(codebooks: size.config.codebooks),
        compact: format != .f32))
  }

  private func run(_ instrument: Instrument, _ format: WeightFormat) -> [WholeMeasurement] {
    let config = instrument.languageModel.config
    var state: UInt32 = 1
    var start = PerformanceStart()
    start.prompt = (0..<Self.prompt * config.codebooks).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Int32(state >> 8) % Int32(config.cardinality)
    }
    start.loudness = -20
    let direction = randomDirection(
      config, monitors: 16, projections: instrument.languageModel.layers.map(\.attentionOutput),
      pool: pool)
    for slot in 1...AddressTable.slots {
      start.directions[slot] = (DirectionSource("bench"), direction)
      start.controls.append(MusicControl(.strength, slot: slot, 0.1))
      start.controls.append(MusicControl(.period, slot: slot, 1))
    }
    let performance = Performance(instrument: instrument, start: start, pool: pool)
    performance.decodedTogether = 5
    performance.prepare()
    let resampler = SincResampler(from: instrument.sampleRate, to: 48_000)
    var resampled = [Float](repeating: 0, count: 48_000)
    var published = resampler.outputs(beforeInput: performance.sound.end)
    let clock = ContinuousClock()
    let half = Self.frames / 2
    return [("one window", half), ("the next window filled beside it", Self.frames - half)].map {
      what, frames in
      let began = clock.now
      for _ in 0..<frames {
        performance.step()
        for slot in 0..<AddressTable.slots { _ = performance.steering.reading(slot: slot) }
        let end = resampler.outputs(beforeInput: performance.sound.end)
        let range = published..<end
        performance.sound.withSamples(channel: 0, resampler.inputs(for: range)) { source, first in
          var target = resampled.mutableSpan
          resampler.make(range, source: source, sourceStart: first, into: &target)
        }
        published = end
      }
      let spent = (clock.now - began) / .seconds(1)
      return WholeMeasurement(
        what: "everything at full context, \(format.rawValue), \(what)",
        secondsPerSecond: spent / (Double(frames) / Double(instrument.framesPerSecond)))
    }
  }
}
