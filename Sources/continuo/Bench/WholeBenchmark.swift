// Times a real model's codec, and making music from nothing to samples.

import Foundation
import Kernels
import Models

/// One measured line.
struct WholeMeasurement: Codable {
  var what: String
  /// Seconds of computing per second of audio.
  var secondsPerSecond: Double
}

struct WholeBenchmark {
  let folder: URL
  let formats: [WeightFormat]
  let seconds: Double
  let rounds: Int
  let pool: ComputePool

  func run() throws -> [WholeMeasurement] {
    var results: [WholeMeasurement] = []
    for (index, format) in formats.enumerated() {
      let model = try MusicGen(folder: folder, weights: format, pool: pool)
      let frames = max(1, Int(seconds * Double(model.stepsPerSecond)))
      let length = Double(frames) / Double(model.stepsPerSecond)
      var codes: [Int32] = []
      func best(_ what: String, _ body: () throws -> Void) rethrows {
        var least = Double.infinity
        for _ in 0..<rounds {
          let start = ContinuousClock.now
          try body()
          let (whole, parts) = (ContinuousClock.now - start).components
          least = min(least, Double(whole) + Double(parts) * 1e-18)
        }
        results.append(WholeMeasurement(what: what, secondsPerSecond: least / length))
      }
      func generate() {
        let generator = CodeGenerator(model: model.languageModel, frameLimit: frames, pool: pool)
        while generator.wholeFrames < frames { generator.step() }
        codes = generator.codes(0..<frames)
      }
      best("codes, \(format.rawValue)", generate)
      if index == 0 {
        let audio = try model.decode(codes, pool: pool)
        try best("decode") { _ = try model.decode(codes, pool: pool) }
        try best("encode") { _ = try model.encode(audio, pool: pool) }
      }
      try best("codes and decode, \(format.rawValue)") {
        generate()
        _ = try model.decode(codes, pool: pool)
      }
    }
    return results
  }
}
