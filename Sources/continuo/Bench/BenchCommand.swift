// `continuo bench`: how fast this machine is, as ratios to what its memory can give.

import ArgumentParser
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

extension ModelSize: ExpressibleByArgument {}

/// What `bench` can be asked wrongly.
enum BenchError: Explained, Equatable {
  case badList(option: String, value: String, expected: String)

  var kind: FailureKind { .usage }
  var problem: String {
    switch self {
    case .badList(let option, let value, let expected):
      "\(option) is “\(printable(value))”, but must be \(expected)"
    }
  }
  var remedy: String { "see continuo bench --help" }
}

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Times kernels, steps, codec and the whole, against the memory's bandwidth.",
    discussion: """
      A step reads every weight once, so the memory's read bandwidth, measured in the same run with \
      the same threads, sets its floor. Random weights of a published size serve for the steps, with \
      --codec for the codec, and with --live for everything that the daemon does for a second of music \
      at full context with eight knobs turned; with --model the steps, the codec, the whole and --live \
      are those of a model on disk. Every step is timed between two readings of a large buffer; \
      figures of steps are medians over the rounds.

      Examples:
        continuo bench
        continuo bench --size medium --weights int4 --lengths 100,1500 --json
        continuo bench --no-steps --live --weights int8,int4
        continuo bench --model house --history bench.jsonl
      """)

  @Option(help: "Size of the random model: house, small, medium or large.")
  var size: ModelSize = .small
  @Option(help: "Formats, separated by commas.") var weights = "f32,bf16,int8,int4"
  @Option(help: "Positions in the cache, separated by commas.") var lengths = "100,1500"
  @Option(help: "Compute threads; all processors when absent.") var threads: Int?
  @Option(help: "Rounds: the median of them counts for steps, the best elsewhere.") var rounds = 10
  @Option(help: "A model, by name or folder, instead of random weights.") var model: String?
  @Option(help: "Seconds of audio for codec and whole.") var seconds = 4.0
  @Flag(help: "Times the inner loops by themselves too.") var kernels = false
  @Flag(help: "Times a codec of the published size.") var codec = false
  @Flag(help: "Times all that the daemon does for a second of music.") var live = false
  @Flag(inversion: .prefixedNo, help: "Times steps of the random model.") var steps = true
  @Flag(help: "Counts the processor's time, not the clock's: for busy machines, with --threads 1.")
  var processorTime = false
  @Flag(help: "Results as JSON.") var json = false
  @Option(help: "Adds the results as one line of JSON to this file.") var history: String?

  func run() throws {
    let formats = try list(weights, "--weights", "of f32, bf16, int8, int4") {
      WeightFormat(rawValue: $0)
    }
    let lengths = try list(lengths, "--lengths", "numbers from 0 to 10000") {
      Int($0).flatMap { (0...10000).contains($0) ? $0 : nil }
    }
    guard (1...10000).contains(rounds) else {
      throw BenchError.badList(
        option: "--rounds", value: "\(rounds)", expected: "from 1 to 10000")
    }
    guard seconds > 0, seconds <= 600 else {
      throw BenchError.badList(
        option: "--seconds", value: "\(seconds)", expected: "above 0 and at most 600")
    }
    let wanted = threads ?? ProcessInfo.processInfo.activeProcessorCount
    guard (1...256).contains(wanted) else {
      throw BenchError.badList(option: "--threads", value: "\(wanted)", expected: "from 1 to 256")
    }
    guard !processorTime || wanted == 1 else {
      throw BenchError.badList(
        option: "--threads", value: "\(wanted)", expected: "1 with --processor-time")
    }
    let folder = try model.map {
      try ModelLocation.find($0, shipped: HouseModel.resources).folder
    }
    let pool = ComputePool(threads: wanted)
    let clock = BenchClock(countsProcessorTime: processorTime)
    let memory = MemoryBandwidth()
    var report = BenchReport(threads: pool.threads)
    let inner = kernels ? rounds : 0
    let bar = ProgressBar("bench", total: Double(inner + (steps ? formats.count * rounds : 0)))
    var done = 0.0
    func tick() {
      done += 1
      bar.show(done)
    }
    for _ in 0..<3 { report.note(bandwidth: clock.bandwidth(of: memory, pool: pool)) }
    if kernels {
      report.kernels = KernelBenchmark(rounds: rounds, pool: pool, clock: clock).run(
        memory, progress: tick)
    }
    if steps {
      for format in formats {
        let language =
          try folder.map {
            try MusicGen(folder: $0, weights: format, pool: pool).languageModel
          } ?? randomModel(size.config, format: format, pool: pool)
        let benchmark = StepBenchmark(
          name: folder?.lastPathComponent ?? size.rawValue, model: language, lengths: lengths,
          rounds: rounds,
          pool: pool, clock: clock)
        let (bandwidth, lines) = benchmark.run(memory, progress: tick)
        report.note(bandwidth: bandwidth)
        report.steps += lines
        report.steering += SteeringBenchmark(model: language, rounds: rounds, pool: pool).run(lines)
      }
    }
    bar.finish()
    if codec {
      report.whole = try CodecBenchmark(seconds: seconds, rounds: min(rounds, 3), pool: pool).run()
    }
    if let folder {
      report.whole += try WholeBenchmark(
        folder: folder, formats: formats, seconds: seconds, rounds: min(rounds, 3), pool: pool
      ).run()
    }
    if live {
      report.whole += try LiveBenchmark(size: size, folder: folder, formats: formats, pool: pool)
        .run()
    }
    if json { try printJSON(report) } else { print(report.text(), terminator: "") }
    if let history { try report.append(to: URL(fileURLWithPath: history)) }
  }

  private func list<Item>(
    _ text: String, _ option: String, _ expected: String, _ parse: (String) -> Item?
  ) throws -> [Item] {
    let items = text.split(separator: ",").map { parse(String($0)) }
    let valid = items.compactMap { $0 }
    guard !items.isEmpty, valid.count == items.count else {
      throw BenchError.badList(option: option, value: text, expected: expected)
    }
    return valid
  }
}
