// Who a model on disk is: its name, dimensions and fingerprint, the last remembered between runs.
//
// Hashing reads every weight once (seconds for a large model), so the fingerprint is kept in
// $XDG_CACHE_HOME/continuo/fingerprints under the path, size and time of change of the weight files. A wrong
// or missing entry costs time only.

internal import Crypto
package import Foundation
package import Models
import Reporting

extension ModelIdentity {
  /// Identifies a model whose configuration is read already.
  ///
  /// - Parameters:
  ///   - folder: the checkpoint.
  ///   - environment: names the cache folder.
  /// - Throws: `SafetensorsError`.
  package init(
    name: String, config: LanguageModelConfig, folder: URL,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws {
    let cache = Self.cacheEntry(folder, environment)
    let remembered = cache.flatMap { try? String(contentsOf: $0, encoding: .utf8) }
    let fingerprint: String
    if let remembered, remembered.utf8.count == 64 {
      fingerprint = remembered
    } else {
      fingerprint = ModelFingerprint.compute(try TensorStore(directory: folder))
      if let cache {
        try? FileManager.default.createDirectory(
          at: cache.deletingLastPathComponent(), withIntermediateDirectories: true)
        try? AtomicFile.write(Data(fingerprint.utf8), to: cache)
      }
    }
    self.init(
      family: "musicgen", name: name, layers: config.layers, heads: config.heads,
      headDimension: config.headDimension, fingerprint: fingerprint)
  }

  private static func cacheEntry(_ folder: URL, _ environment: [String: String]) -> URL? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    var key = folder.resolvingSymlinksInPath().path
    for name in names.sorted() where name.hasSuffix(".safetensors") {
      let path = folder.appendingPathComponent(name).resolvingSymlinksInPath().path
      guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
        let size = attributes[.size] as? Int, let date = attributes[.modificationDate] as? Date
      else { return nil }
      key += "\n\(name) \(size) \(date.timeIntervalSinceReferenceDate)"
    }
    let home = environment["HOME"] ?? NSHomeDirectory()
    let root = environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    return URL(fileURLWithPath: root ?? home + "/.cache")
      .appendingPathComponent("continuo/fingerprints")
      .appendingPathComponent(PresetFiles.digest(Data(key.utf8)))
  }
}
