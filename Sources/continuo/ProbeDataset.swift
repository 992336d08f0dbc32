// Items in, activations with values and sides out; what was read before comes from the cache.
//
// The cache is $XDG_CACHE_HOME/continuo/activations: one safetensors file per model and item, named by a hash
// of both. It makes training resumable; deleting it costs time only.

import Engine
import Foundation
import Kernels
import Models
import Reporting

/// Activations of labelled segments.
struct ProbeDataset {
  var activations: Activations
  /// One per segment (N).
  var values: [Float] = []
  /// Which item each segment came from (N).
  var items: [Int] = []
  /// The sides that the material itself named, per segment (N).
  var sides: [ProbeItem.Side?] = []

  /// Songs on each side: what the material says, else chosen by name and seed.
  func split(testShare: Double, seed: UInt64) -> TrackSplit {
    if sides.contains(.test), sides.contains(.train) {
      return TrackSplit(
        train: sides.indices.filter { sides[$0] != .test },
        test: sides.indices.filter { sides[$0] == .test })
    }
    return TrackSplit(tracks: activations.tracks, testShare: testShare, seed: seed)
  }
}

/// Reads datasets.
struct ProbeReader {
  let model: LanguageModel
  /// The language model's fingerprint and the codec's: both decide what a sound becomes.
  let fingerprint: String
  let pool: ComputePool
  /// nil for no cache.
  var cache: URL?

  /// The usual place of the cache.
  static func usualCache(
    _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> URL {
    let home = environment["HOME"] ?? NSHomeDirectory()
    let root = environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    return URL(fileURLWithPath: root ?? home + "/.cache")
      .appendingPathComponent("continuo/activations")
  }

  /// Reads the heads at the end of every segment of every item.
  /// - Throws: what an item's segments throw; `CommandError.interrupted` never: an interrupted run is
  ///   continued by the next one.
  func read(_ items: [ProbeItem], title: String = "listen") throws -> ProbeDataset {
    let config = model.config
    var dataset = ProbeDataset(
      activations: Activations(
        layers: config.layers, heads: config.heads, headDimension: config.headDimension))
    let reader = ActivationReader(model: model, pool: pool)
    let bar = ProgressBar(title, total: Double(items.count))
    defer { bar.finish() }
    for (index, item) in items.enumerated() {
      let file = cacheFile(item)
      let (rows, values) = try remembered(file) ?? listen(item, reader, file)
      for (row, value) in zip(rows, values) {
        dataset.activations.append(row, track: item.track)
        dataset.values.append(value)
        dataset.items.append(index)
        dataset.sides.append(item.side)
      }
      bar.show(Double(index + 1), note: "\(dataset.values.count) segments")
    }
    return dataset
  }

  private func listen(_ item: ProbeItem, _ reader: ActivationReader, _ file: URL?) throws
    -> (rows: [[Float]], values: [Float])
  {
    let segments = try item.segments()
    let rows = try reader.read(segments.map(\.codes))
    let values = segments.map(\.value)
    if let file, !rows.isEmpty {
      let shape = [
        rows.count, model.config.layers, model.config.heads, model.config.headDimension,
      ]
      try SafetensorsWriter.write(
        [
          SafetensorsWriter.Entry(name: "z", shape: shape, floats: rows.flatMap { $0 }),
          SafetensorsWriter.Entry(name: "value", shape: [values.count], floats: values),
        ], to: file)
    }
    return (rows, values)
  }

  private func remembered(_ file: URL?) throws -> (rows: [[Float]], values: [Float])? {
    guard let file, let store = try? TensorStore(file: file),
      let z = try? store.tensor("z"), let values = try? store.tensor("value").floats()
    else { return nil }
    let width = model.config.layers * model.config.hidden
    guard let all = try? z.floats(), all.count == values.count * width else { return nil }
    return (values.indices.map { Array(all[$0 * width..<($0 + 1) * width]) }, values)
  }

  private func cacheFile(_ item: ProbeItem) -> URL? {
    guard let cache else { return nil }
    let folder = cache.appendingPathComponent(
      String(PresetFiles.digest(Data(fingerprint.utf8)).prefix(16)))
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let key = "1\n\(fingerprint)\n\(model.format.rawValue)\n\(item.key)"
    return folder.appendingPathComponent(
      "\(PresetFiles.digest(Data(key.utf8)).prefix(32)).safetensors")
  }
}
