// Times one step of the language model against the bytes that it reads.
//
// Memory is shared with whatever else the machine does, and on rented machines with other tenants: its
// bandwidth may double from one second to the next. So every step is timed between two passes over a
// large buffer, its ratio taken to the bandwidth of these two, and the median over all rounds reported.
// Best times of steps and of memory, taken apart, compare moments that have nothing in common.

import Kernels
import Models

/// One measured line. All figures are medians over the rounds.
struct StepMeasurement: Codable {
  var size: String
  var weights: WeightFormat
  /// Positions in the cache before the step.
  var length: Int
  /// What shares the pass: "1", "2 branches", "1 + 3 columns".
  var columns: String
  var milliseconds: Double
  /// Weights and cache.
  var megabytes: Double
  /// Bytes over the read bandwidth around the step.
  var floorMilliseconds: Double
  /// Time over that floor.
  var ratio: Double
  /// Time over that of a single column at the same length in the same round.
  var ratioToOne: Double
}

/// Several kinds of steps of one model, timed in turn with the memory itself.
struct StepBenchmark {
  /// What the lines call it.
  let name: String
  let model: LanguageModel
  let lengths: [Int]
  let rounds: Int
  let pool: ComputePool
  let clock: BenchClock

  private final class Case {
    let length: Int
    let name: String
    /// Streams with the positions that each adds.
    let streams: [(stream: LanguageModelStream, columns: Int)]
    /// Seconds of each round, and bytes per second around them.
    var times: [Double] = []
    var bandwidths: [Double] = []

    init(length: Int, name: String, streams: [(LanguageModelStream, Int)]) {
      self.length = length
      self.name = name
      self.streams = streams
    }
  }

  /// Runs, and returns the best bandwidth (bytes per second) and the lines.
  func run(_ memory: MemoryBandwidth, progress: () -> Void) -> (Double, [StepMeasurement]) {
    let workspace = LanguageModelWorkspace(config: model.config)
    let token = [Int32](repeating: 1, count: model.config.codebooks)
    let capacity = (lengths.max() ?? 0) + 8
    func stream(_ length: Int) -> LanguageModelStream {
      let stream = LanguageModelStream(
        config: model.config, capacity: capacity, cacheFormat: model.cacheFormat)
      stream.fillForMeasurement(positions: length)
      return stream
    }
    var cases: [Case] = []
    for length in lengths {
      let (one, two) = (stream(length), stream(length))
      cases.append(Case(length: length, name: "1", streams: [(one, 1)]))
      cases.append(Case(length: length, name: "2 branches", streams: [(one, 1), (two, 1)]))
      let old = stream(min(length, 300))
      cases.append(Case(length: length, name: "1 + 3 columns", streams: [(one, 1), (old, 3)]))
    }
    var best = 0.0
    for _ in 0..<rounds {
      var before = clock.bandwidth(of: memory, pool: pool)
      best = max(best, before)
      for each in cases {
        for (stream, columns) in each.streams {
          for _ in 0..<columns { stream.feed(token) }
        }
        let lengths = each.streams.map(\.stream.length)
        let streams = each.streams.map(\.stream)
        each.times.append(
          clock.seconds { model.step(streams, workspace: workspace, pool: pool) })
        for ((stream, _), length) in zip(each.streams, lengths) { stream.truncate(to: length) }
        let after = clock.bandwidth(of: memory, pool: pool)
        each.bandwidths.append((before + after) / 2)
        before = after
        best = max(best, after)
      }
      progress()
    }
    let lines = cases.map { each in
      let bytes =
        model.weightBytes(withText: false) + each.streams.reduce(0) { $0 + $1.stream.cacheBytes }
      let single = cases.first { $0.length == each.length }?.times ?? each.times
      return StepMeasurement(
        size: name, weights: model.format, length: each.length, columns: each.name,
        milliseconds: median(each.times) * 1e3, megabytes: Double(bytes) / 1e6,
        floorMilliseconds: median(each.bandwidths.map { Double(bytes) / $0 }) * 1e3,
        ratio: median(zip(each.times, each.bandwidths).map { $0 * $1 / Double(bytes) }),
        ratioToOne: median(zip(each.times, single).map { $0 / $1 }))
    }
    return (best, lines)
  }
}

/// The middle of some numbers, the mean of the two middle ones when their count is even.
func median(_ numbers: [Double]) -> Double {
  let sorted = numbers.sorted()
  guard !sorted.isEmpty else { return .nan }
  return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
}
