// Probes taught by a limited number of pairs, for the table that says how few are enough.
//
// Source: paper 5 and appendix (10, 100, 500, 1000 and all pairs).

import Foundation
import Kernels
import Models

/// Teaches groups of instruments from catalogues; what the heads said is read once per group.
final class PairTeacher {
  private let loaded: ProbeModelOptions.Loaded
  private let catalogues: [ActivityCatalogue]
  private let frames: Int
  private let seed: UInt64
  private var datasets: [String: ProbeDataset] = [:]

  /// Segments of each kind from one song.
  static let perSong = 3

  /// - Parameter seconds: length of a segment.
  init(
    loaded: ProbeModelOptions.Loaded, catalogues: [ActivityCatalogue], seconds: Double, seed: UInt64
  ) {
    self.loaded = loaded
    self.catalogues = catalogues
    self.seed = seed
    frames = Int((seconds * Double(loaded.model.stepsPerSecond)).rounded())
  }

  /// Probes of a group from `pairs` pairs.
  /// - Parameter pairs: nil for all.
  /// - Returns: nil when there are fewer pairs than that.
  /// - Throws: `ProbeMaterialError`.
  func probes(_ group: String, pairs: Int?) throws -> ProbeSet? {
    let dataset = try dataset(group)
    let labels = dataset.values.map { $0 > 0.5 }
    var split = dataset.split(testShare: 0.25, seed: seed)
    split.train = balanced(split.train, labels, limit: pairs, seed: seed)
    split.test = balanced(split.test, labels, limit: nil, seed: seed)
    guard split.train.count >= 4 else {
      throw ProbeMaterialError.tooLittle(
        what: "segments with and without \(group)", found: split.train.count, needed: 4)
    }
    if let pairs, split.train.count < 2 * pairs { return nil }
    return ProbeTraining.train(
      dataset.activations, labels: labels, split: split, pool: loaded.pool)
  }

  private func dataset(_ group: String) throws -> ProbeDataset {
    if let known = datasets[group] { return known }
    let items = try catalogues.flatMap {
      try $0.items(
        group: group, frames: frames, perItem: Self.perSong,
        codebooks: loaded.model.config.decoder.codebooks)
    }
    let dataset = try loaded.reader.read(items, title: group)
    datasets[group] = dataset
    return dataset
  }
}
