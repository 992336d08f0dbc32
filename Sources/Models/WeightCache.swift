// Prepared weights kept between runs, in $XDG_CACHE_HOME/continuo/weights.
//
// One file per fingerprint, format and layout version. The fingerprint of a checkpoint is itself
// remembered, by path, size and time of change of its files, because computing it reads all of them.

internal import Crypto
package import Foundation
package import Kernels
internal import Reporting

/// Where prepared weights are kept. Everything in it can be deleted at any time.
package struct WeightCache: Sendable {
  package let folder: URL

  /// How a model's weights were come by.
  package enum Outcome: Sendable, Equatable {
    /// Read from the cache.
    case found
    /// Converted and kept.
    case made
    /// Converted because the file could not be used; kept.
    case remade(reason: String)
    /// Converted, but the cache cannot be written.
    case unsaved(reason: String)
  }

  /// - Parameter folder: `$XDG_CACHE_HOME/continuo/weights` (or below `~/.cache`) when nil.
  package init(
    folder: URL? = nil, environment: [String: String] = ProcessInfo.processInfo.environment
  ) {
    if let folder {
      self.folder = folder
      return
    }
    let home = environment["HOME"] ?? FileManager.default.homeDirectoryForCurrentUser.path
    let named = environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    self.folder = URL(fileURLWithPath: named ?? home + "/.cache", isDirectory: true)
      .appendingPathComponent("continuo/weights", isDirectory: true)
  }

  /// The file of one model's weights.
  package func file(fingerprint: String, format: WeightFormat) -> URL {
    folder.appendingPathComponent(
      "\(fingerprint.prefix(32))-\(format.rawValue)-v\(PreparedWeights.version).\(WeightLayout.version)"
    )
  }

  /// The fingerprint of a checkpoint, from memory where its files have not changed.
  package func fingerprint(of store: TensorStore) -> String {
    let files = Set(store.tensors.values.map { $0.file.url.standardizedFileURL.path }).sorted()
    let identity = files.map { path in
      let facts = (try? FileManager.default.attributesOfItem(atPath: path)) ?? [:]
      let changed = (facts[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
      return "\(path)\0\(facts[.size] ?? 0)\0\(facts[.systemFileNumber] ?? 0)\0\(changed)"
    }.joined(separator: "\0")
    let key = hexadecimal(SHA256.hash(data: Data(identity.utf8)))
    let note = folder.appendingPathComponent("\(key.prefix(32)).fingerprint")
    if let text = try? String(contentsOf: note, encoding: .utf8), text.count == 64,
      text.allSatisfy(\.isHexDigit)
    {
      return text
    }
    let fingerprint = ModelFingerprint.compute(store)
    if makeFolder() == nil { try? AtomicFile.write(Data(fingerprint.utf8), to: note) }
    return fingerprint
  }

  /// A checkpoint's matrices in `format`: from the cache, or converted and kept there.
  ///
  /// - Parameters:
  ///   - rebuild: converts even where the cache has them.
  ///   - progress: called while converting with the share that is done, 0 … 1.
  /// - Throws: `SafetensorsError` when the checkpoint itself is bad; a cache that cannot be read or
  ///   written is no error.
  package func weights(
    of store: TensorStore, config: LanguageModelConfig, format: WeightFormat, rebuild: Bool = false,
    pool: ComputePool, progress: (Double) -> Void = { _ in }
  ) throws -> (weights: PreparedWeights, outcome: Outcome) {
    let fingerprint = fingerprint(of: store)
    let file = file(fingerprint: fingerprint, format: format)
    var reason: String?
    if !rebuild, FileManager.default.fileExists(atPath: file.path) {
      do {
        let weights = try PreparedWeights(
          file: file, fingerprint: fingerprint, format: format, config: config, pool: pool)
        return (weights, .found)
      } catch let error as PreparedWeightsError {
        reason = error.problem
      }
    }
    let weights = try PreparedWeights(
      converting: store, config: config, to: format, fingerprint: fingerprint, pool: pool,
      progress: progress)
    if let problem = makeFolder() { return (weights, .unsaved(reason: problem)) }
    do {
      try weights.write(to: file)
    } catch {
      return (weights, .unsaved(reason: explanation(of: error)))
    }
    return (weights, reason.map { .remade(reason: $0) } ?? .made)
  }

  private func makeFolder() -> String? {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      return nil
    } catch {
      return "\(folder.path) cannot be made"
    }
  }
}
