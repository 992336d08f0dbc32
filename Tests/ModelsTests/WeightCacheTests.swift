import Foundation
import Kernels
import Models
import TestSupport
import Testing

@Suite("Weight cache")
struct WeightCacheTests {
  private func get(
    _ cache: WeightCache, _ checkpoint: QuantisedCheckpoint, rebuild: Bool = false
  ) throws -> (weights: PreparedWeights, outcome: WeightCache.Outcome) {
    try cache.weights(
      of: checkpoint.store, config: QuantisedCheckpoint.config, format: .int4, rebuild: rebuild,
      pool: checkpoint.pool)
  }

  @Test("converts once, then reads; converts again when told to or when the file is damaged")
  func reuse() throws {
    let checkpoint = try QuantisedCheckpoint()
    let cache = WeightCache(folder: checkpoint.folder.file("cache"))
    let first = try get(cache, checkpoint)
    #expect(first.outcome == .made)
    #expect(try get(cache, checkpoint).outcome == .found)
    #expect(try get(cache, checkpoint, rebuild: true).outcome == .made)
    let file = cache.file(fingerprint: first.weights.fingerprint, format: .int4)
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count - 5000] ^= 4
    try bytes.write(to: file)
    guard case .remade(let reason) = try get(cache, checkpoint).outcome else {
      Issue.record("damage was not noticed")
      return
    }
    #expect(reason.contains("damaged"))
    #expect(try get(cache, checkpoint).outcome == .found)
  }

  @Test("remembers a fingerprint only for files that have not changed")
  func fingerprints() throws {
    let checkpoint = try QuantisedCheckpoint()
    let cache = WeightCache(folder: checkpoint.folder.file("cache"))
    let first = cache.fingerprint(of: checkpoint.store)
    #expect(first == ModelFingerprint.compute(checkpoint.store))
    #expect(cache.fingerprint(of: checkpoint.store) == first)
    let file = checkpoint.folder.file("model.safetensors")
    try SafetensorsWriter.write(randomDecoder(QuantisedCheckpoint.config, seed: 9), to: file)
    let changed = try TensorStore(file: file)
    #expect(cache.fingerprint(of: changed) == ModelFingerprint.compute(changed))
    #expect(cache.fingerprint(of: changed) != first)
  }

  @Test("a cache that cannot be written is no error")
  func unwritable() throws {
    let checkpoint = try QuantisedCheckpoint()
    let cache = WeightCache(
      folder: checkpoint.folder.file("model.safetensors").appendingPathComponent("no"))
    guard case .unsaved = try get(cache, checkpoint).outcome else {
      Issue.record("a file served as a folder")
      return
    }
  }

  @Test("lies where XDG says")
  func place() {
    let folder = WeightCache(environment: ["XDG_CACHE_HOME": "/x", "HOME": "/h"]).folder.path
    #expect(folder == "/x/continuo/weights")
    let home = WeightCache(environment: ["HOME": "/h", "XDG_CACHE_HOME": "relative"]).folder.path
    #expect(home == "/h/.cache/continuo/weights")
  }
}
