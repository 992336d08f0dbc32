// Times one step of the language model against the bytes that it reads.

import Kernels
import Models

/// One measured line.
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
  /// Bytes over the read bandwidth of this run.
  var floorMilliseconds: Double
  /// Time over that floor.
  var ratio: Double
  /// Time over that of a single column at the same length.
  var ratioToOne: Double
}

/// Several kinds of steps of one model, timed in turn with the memory itself, the best of many rounds.
struct StepBenchmark {
  let size: ModelSize
  let format: WeightFormat
  let lengths: [Int]
  let rounds: Int
  let pool: ComputePool
  let clock: BenchClock

  private final class Case {
    let length: Int
    let name: String
    /// Streams with the positions that each adds.
    let streams: [(stream: LanguageModelStream, columns: Int)]
    var best = Double.infinity

    init(length: Int, name: String, streams: [(LanguageModelStream, Int)]) {
      self.length = length
      self.name = name
      self.streams = streams
    }
  }

  /// Runs, and returns the best bandwidth (bytes per second) and the lines.
  func run(_ memory: MemoryBandwidth, progress: () -> Void) -> (Double, [StepMeasurement]) {
    let model = randomModel(size.config, format: format, pool: pool)
    let workspace = LanguageModelWorkspace(config: size.config)
    let token = [Int32](repeating: 1, count: size.config.codebooks)
    let capacity = (lengths.max() ?? 0) + 8
    func stream(_ length: Int) -> LanguageModelStream {
      let stream = LanguageModelStream(
        config: size.config, capacity: capacity, cacheFormat: model.cacheFormat)
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
    var bandwidth = 0.0
    for _ in 0..<rounds {
      bandwidth = max(bandwidth, clock.bandwidth(of: memory, pool: pool))
      for each in cases {
        for (stream, columns) in each.streams {
          for _ in 0..<columns { stream.feed(token) }
        }
        let lengths = each.streams.map(\.stream.length)
        let streams = each.streams.map(\.stream)
        each.best = min(
          each.best, clock.seconds { model.step(streams, workspace: workspace, pool: pool) })
        for ((stream, _), length) in zip(each.streams, lengths) { stream.truncate(to: length) }
      }
      progress()
    }
    let lines = cases.map { each in
      let bytes =
        model.weightBytes(withText: false) + each.streams.reduce(0) { $0 + $1.stream.cacheBytes }
      let single = cases.first { $0.length == each.length }?.best ?? .nan
      return StepMeasurement(
        size: size.rawValue, weights: format, length: each.length, columns: each.name,
        milliseconds: each.best * 1e3, megabytes: Double(bytes) / 1e6,
        floorMilliseconds: Double(bytes) / bandwidth * 1e3,
        ratio: each.best * bandwidth / Double(bytes), ratioToOne: each.best / single)
    }
    return (bandwidth, lines)
  }
}
