// `continuo evaluate quantisation`: what a smaller format costs in quality.

import ArgumentParser
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

struct EvaluateQuantisationCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantisation",
    abstract: "Compares a model in every format with itself in float32.",
    discussion: """
      The float32 model draws clips; each format reads the same codes. Divergence is the \
      Kullback-Leibler divergence of its distribution of the next code, in nats per code, agreement the \
      share of equal most likely codes. A format above its bar is not to be a default.

      With --distance each format also makes that many clips by itself: distance is the Fréchet distance \
      of the recogniser's embeddings, one per second, to those of float32 clips with other seeds, and the \
      line f32 says what two sets of float32 clips come to.

      Examples:
        continuo evaluate quantisation --model house
        continuo evaluate quantisation --model house --distance 24
      """)

  @Option(help: "A model, by name or folder.") var model = "house"
  @Option(help: "Formats, separated by commas.") var weights = "bf16,int8,int4"
  @Option(help: "Clips.") var clips = 4
  @Option(help: "Seconds of each clip, at most 29.") var seconds = 10.0
  @Option(help: "Seed of the first clip.") var seed: UInt64 = 1
  @Option(help: "Clips that each format makes by itself, for the Fréchet distance; none when 0.")
  var distance = 0
  @Option(help: "The recogniser's folder, for the Fréchet distance.") var recogniser: String?
  @Option(help: "Compute threads; all processors when absent.") var threads: Int?
  @Flag(help: "Results as JSON.") var json = false

  func run() throws {
    let formats = try weights.split(separator: ",").map {
      guard let format = WeightFormat(rawValue: String($0)) else {
        throw BenchError.badList(
          option: "--weights", value: weights, expected: "of f32, bf16, int8, int4")
      }
      return format
    }
    guard (1...1000).contains(clips) else {
      throw BenchError.badList(option: "--clips", value: "\(clips)", expected: "from 1 to 1000")
    }
    guard seconds >= 0.1, seconds <= 29 else {
      throw BenchError.badList(
        option: "--seconds", value: "\(seconds)", expected: "from 0.1 to 29")
    }
    guard (0...1000).contains(distance) else {
      throw BenchError.badList(
        option: "--distance", value: "\(distance)", expected: "from 0 to 1000")
    }
    let folder = try ModelLocation.find(model, shipped: HouseModel.resources).folder
    let count = threads ?? ProcessInfo.processInfo.activeProcessorCount
    let pool = ComputePool(threads: min(max(count, 1), 256))
    let exact = try MusicGen(folder: folder, pool: pool)
    let evaluation = QuantisationEvaluation(
      exact: exact.languageModel, clips: clips,
      frames: Int(seconds * Double(exact.stepsPerSecond)),
      settings: SamplingSettings(seed: seed), pool: pool)
    let judge = try distance > 0 ? Recogniser(folder: recogniserFolder) : nil
    let bar = ProgressBar("quantisation", total: Double(formats.count))
    var scores: [QuantisationScore] = []
    var fits: [GaussianFit] = []
    let reference = try judge.map { try embeddings(exact, $0, from: seed, pool: pool) }
    if let judge { fits.append(try embeddings(exact, judge, from: seed + 100_000, pool: pool)) }
    for (index, format) in formats.enumerated() {
      let other = try MusicGen(folder: folder, weights: format, pool: pool)
      scores.append(
        evaluation.score(other.languageModel) { bar.show(Double(index) + $0) })
      if let judge { fits.append(try embeddings(other, judge, from: seed + 100_000, pool: pool)) }
    }
    bar.finish()
    let distances = reference.map { reference in fits.map { $0.distance(to: reference) } } ?? []
    if json {
      return try printJSON(
        QuantisationTable(
          formats: scores, distanceOfFloat32: distances.first,
          distances: Array(distances.dropFirst())))
    }
    print("format  MB per step   nats per code      worst   agreement  bar             distance")
    if let first = distances.first { print(String(format: "f32%75.3f", first)) }
    for (index, score) in scores.enumerated() {
      let bar =
        (score.passes ? "met" : "MISSED") + " (\(QuantisationScore.limit(score.format)))"
      print(
        score.format.rawValue.padding(toLength: 6, withPad: " ", startingAt: 0)
          + String(
            format: "%13.1f %15.6f %10.4f %10.2f %%  %@", Double(score.weightBytes) / 1e6,
            score.divergence, score.worst, score.agreement * 100,
            bar.padding(toLength: 12, withPad: " ", startingAt: 0))
          + (distances.isEmpty ? "" : String(format: "%12.3f", distances[index + 1])))
    }
  }

  private var recogniserFolder: URL {
    recogniser.map { URL(fileURLWithPath: $0) }
      ?? HouseModel.resources.appendingPathComponent("recogniser")
  }

  /// What the recogniser makes of clips that a model draws from nothing, one vector per second.
  private func embeddings(
    _ model: MusicGen, _ judge: Recogniser, from seed: UInt64, pool: ComputePool
  ) throws -> GaussianFit {
    var fit = GaussianFit(dimension: judge.embedding)
    let frames = Int(seconds * Double(model.stepsPerSecond))
    for first in stride(from: 0, to: distance, by: LanguageModel.exactColumns) {
      let generators = (first..<min(first + LanguageModel.exactColumns, distance)).map {
        CodeGenerator(
          model: model.languageModel, settings: SamplingSettings(seed: seed + UInt64($0)),
          frameLimit: frames, pool: pool)
      }
      while generators[0].wholeFrames < frames { CodeGenerator.step(generators) }
      for generator in generators {
        let sound = try model.decode(generator.codes(0..<frames), pool: pool)
        for vector in judge.hear(sound[0]).embeddings { fit.add(vector) }
      }
    }
    return fit
  }
}

/// The table as data.
private struct QuantisationTable: Codable {
  var formats: [QuantisationScore]
  /// Between two sets of float32 clips; absent without --distance.
  var distanceOfFloat32: Double?
  /// Of each format to float32.
  var distances: [Double]
}
