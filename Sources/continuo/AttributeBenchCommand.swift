// `continuo attribute bench`: gradient draws and scored draws per second.

import ArgumentParser
import Attribution
import Foundation
import Reporting

extension AttributionBenchmark.Size: ExpressibleByArgument {}

struct AttributeBenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Times gradients and scoring on random weights.",
    discussion: """
      Tests/Benchmarks/attribution_reference.py times the same work in PyTorch.

      Example: continuo attribute bench --size house-lm
      """)

  @Option(help: "house-lm, lm-100m or house-dit.") var size = AttributionBenchmark.Size.houseLM
  @Option(parsing: .unconditional, help: "Compute threads.") var threads = 2
  @Option(parsing: .unconditional, help: "Draws of one repetition.") var draws = 4
  @Option(parsing: .unconditional, help: "Repetitions; the best counts.") var repetitions = 3
  @Flag(help: "As JSON.") var json = false

  func run() throws {
    for (name, value) in [
      ("--threads", threads), ("--draws", draws), ("--repetitions", repetitions),
    ]
    where !(1...1000).contains(value) {
      throw CommandError.badValue(option: name, value: "\(value)", expected: "1 to 1000")
    }
    let figures = try AttributionBenchmark.run(
      size, threads: threads, draws: draws, repetitions: repetitions)
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys]
      print(String(decoding: try encoder.encode(figures), as: UTF8.self))
    } else {
      print(
        String(
          format:
            "%@, %.1f M parameters, %d threads: %.3f gradient draws/s, %.3f scored draws/s, %.0f MB",
          figures.size, Double(figures.parameters) / 1e6, figures.threads,
          figures.gradientDrawsPerSecond, figures.scoredDrawsPerSecond,
          Double(figures.peakBytes) / 1e6))
    }
  }
}
