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

      Example: continuo evaluate quantisation --model house
      """)

  @Option(help: "A model, by name or folder.") var model = "house"
  @Option(help: "Formats, separated by commas.") var weights = "bf16,int8,int4"
  @Option(help: "Clips.") var clips = 4
  @Option(help: "Seconds of each clip, at most 29.") var seconds = 10.0
  @Option(help: "Seed of the first clip.") var seed: UInt64 = 1
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
    let folder = try ModelLocation.find(model, shipped: HouseModel.resources).folder
    let count = threads ?? ProcessInfo.processInfo.activeProcessorCount
    let pool = ComputePool(threads: min(max(count, 1), 256))
    let exact = try MusicGen(folder: folder, pool: pool)
    let evaluation = QuantisationEvaluation(
      exact: exact.languageModel, clips: clips,
      frames: Int(seconds * Double(exact.stepsPerSecond)),
      settings: SamplingSettings(seed: seed), pool: pool)
    let bar = ProgressBar("quantisation", total: Double(formats.count))
    var scores: [QuantisationScore] = []
    for (index, format) in formats.enumerated() {
      let other = try MusicGen(folder: folder, weights: format, pool: pool)
      scores.append(
        evaluation.score(other.languageModel) { bar.show(Double(index) + $0) })
    }
    bar.finish()
    if json { return try printJSON(scores) }
    print("format  MB per step   nats per code      worst   agreement  bar")
    for score in scores {
      print(
        score.format.rawValue.padding(toLength: 6, withPad: " ", startingAt: 0)
          + String(
            format: "%13.1f %15.6f %10.4f %10.2f %%  %@", Double(score.weightBytes) / 1e6,
            score.divergence, score.worst, score.agreement * 100,
            (score.passes ? "met" : "MISSED") + " (\(QuantisationScore.limit(score.format)))"))
    }
  }
}
