// `continuo model prepare`: converts a model's weights once, so that every later start is quick.

import ArgumentParser
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

struct ModelPrepareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prepare",
    abstract: "Converts a model's weights into a smaller format and keeps them in the cache.",
    discussion: """
      The cache is $XDG_CACHE_HOME/continuo/weights (~/.cache/continuo/weights); it can be deleted at \
      any time. A damaged or outdated file is made again.

      Example: continuo model prepare house --weights int8
      """)

  @Argument(help: "A model, by name or folder.") var model: String
  @Option(help: "bf16, int8 or int4.") var weights: WeightFormat = .int8
  @Option(help: "Compute threads; all processors when absent.") var threads: Int?
  @Flag(help: "Converts even where the cache has the weights.") var force = false
  @Flag(help: "The result as JSON.") var json = false

  private struct Result: Codable {
    var file: String
    var format: WeightFormat
    var fingerprint: String
    var megabytes: Double
    var outcome: String
    var seconds: Double
  }

  func run() throws {
    guard weights != .f32 else { throw PrepareError.float32 }
    let folder = try ModelLocation.find(model, shipped: HouseModel.resources).folder
    let count = threads ?? ProcessInfo.processInfo.activeProcessorCount
    let pool = ComputePool(threads: min(max(count, 1), 256))
    let cache = WeightCache()
    let bar = ProgressBar("prepare", total: 1)
    let start = ContinuousClock.now
    let config = try MusicGenConfig(folder: folder)
    let store = try TensorStore(directory: folder)
    let (prepared, outcome) = try cache.weights(
      of: store, config: config.decoder, format: weights, rebuild: force, pool: pool
    ) { bar.show($0) }
    bar.finish()
    let (whole, parts) = (ContinuousClock.now - start).components
    let words =
      switch outcome {
      case .found: "was there already"
      case .made: "made"
      case .remade(let reason): "made again: \(reason)"
      case .unsaved(let reason): throw PrepareError.notKept(reason: reason)
      }
    let result = Result(
      file: cache.file(fingerprint: prepared.fingerprint, format: weights).path, format: weights,
      fingerprint: prepared.fingerprint, megabytes: Double(prepared.bytes) / 1e6, outcome: words,
      seconds: Double(whole) + Double(parts) * 1e-18)
    if json {
      try printJSON(result)
    } else {
      print(
        "\(result.file): \(words); "
          + String(format: "%.1f MB, %.2f s", result.megabytes, result.seconds))
    }
  }
}

/// What can be wrong with preparing.
enum PrepareError: Explained, Equatable {
  case float32
  case notKept(reason: String)

  var kind: FailureKind {
    switch self {
    case .float32: .usage
    case .notKept: .cannotCreate
    }
  }
  var problem: String {
    switch self {
    case .float32: "float32 weights are used as they are and need no preparation"
    case .notKept(let reason): "the prepared weights could not be kept: \(reason)"
    }
  }
  var remedy: String {
    switch self {
    case .float32: "ask for bf16, int8 or int4"
    case .notKept: "free some space, or set XDG_CACHE_HOME to a folder that can be written"
    }
  }
}
