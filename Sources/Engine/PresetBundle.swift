// A preset bundle: knobs that someone trained and shares. CONTRACT "Preset bundle" is its format.
//
// In: a folder or a zip of at most seven known files. Out: a checked value; nothing is executed, nothing
// is written. What a bundle may hold is ruled by PresetFiles (files), PresetManifest (texts and ranges)
// and PresetProbes (tensors).

package import Foundation
package import Models
import Reporting

/// How a bundle fits a model.
package enum PresetCompatibility: Sendable, Equatable {
  /// Trained on these very weights.
  case same
  /// Dimensions fit, weights differ: usable, with a warning that follows it everywhere.
  case sameDimensions(PresetWarning)
}

/// A loaded bundle.
package struct PresetBundle: Sendable {
  package let manifest: PresetManifest
  /// Probes by trait id.
  package let probes: [String: ProbeSet]
  /// The files that it was read from.
  package let files: PresetFiles
  /// Where it lies, for messages.
  package let place: String
  /// What is worth telling, whatever the model.
  package let warnings: [PresetWarning]

  /// "id@version"
  package var name: String { "\(manifest.id)@\(manifest.version)" }

  /// Reads a folder or a zip.
  /// - Throws: `PresetError`.
  package init(at url: URL) throws {
    try self.init(files: PresetFiles(at: url), place: url.path)
  }

  /// Checks files that are in memory.
  /// - Throws: `PresetError`.
  package init(files: PresetFiles, place: String) throws {
    guard let json = files.contents["preset.json"] else {
      throw PresetError.missingFile(bundle: place, name: "preset.json")
    }
    guard let tensors = files.contents["probes.safetensors"] else {
      throw PresetError.missingFile(bundle: place, name: "probes.safetensors")
    }
    for name in ["README.md", "LICENSE"] {
      guard let text = files.contents[name] else { continue }
      guard String(validating: text, as: UTF8.self) != nil else {
        throw PresetError.badText(bundle: place, field: name, reason: "is not valid UTF-8")
      }
    }
    let manifest = try PresetManifest(json: json, bundle: place)
    probes = try PresetProbes.read(tensors, manifest: manifest, bundle: place)
    var warnings: [PresetWarning] = []
    if manifest.licence.trimmingCharacters(in: .whitespaces).isEmpty { warnings.append(.noLicence) }
    for trait in manifest.traits {
      let best = probes[trait.id]?.accuracyTest.max() ?? 0
      if best < 0.6 { warnings.append(.weakProbe(trait: trait.id, accuracy: best)) }
    }
    self.manifest = manifest
    self.files = files
    self.place = place
    self.warnings = warnings
  }

  /// Makes a bundle of new probes and checks it like a stranger's.
  ///
  /// - Parameters:
  ///   - probes: by trait id.
  ///   - extras: README.md, LICENSE, preview.flac or preview.ogg.
  /// - Throws: `PresetError`.
  package init(
    manifest: PresetManifest, probes: [String: ProbeSet], extras: [String: Data], place: String
  ) throws {
    var files = PresetFiles(contents: extras)
    files.contents["preset.json"] = try manifest.json()
    files.contents["probes.safetensors"] = PresetProbes.encode(probes, manifest: manifest)
    for (name, data) in files.contents {
      guard let limit = PresetFiles.limits[name] else {
        throw PresetError.forbiddenName(bundle: place, name: name)
      }
      guard data.count <= limit else {
        throw PresetError.tooLarge(bundle: place, name: name, limit: limit)
      }
    }
    files.contents[PresetFiles.sums] = Data(files.sumsText.utf8)
    try self.init(files: files, place: place)
  }

  /// The trait with this id.
  package func trait(_ id: String) -> PresetTrait? { manifest.traits.first { $0.id == id } }

  /// Whether the bundle may be used with a model.
  /// - Throws: `PresetError.otherDimensions`, naming both.
  package func compatibility(with model: ModelIdentity) throws -> PresetCompatibility {
    let made = manifest.model
    guard made.layers == model.layers, made.heads == model.heads,
      made.headDimension == model.headDimension
    else {
      throw PresetError.otherDimensions(
        bundle: name, made: made.summary, model: model.summary)
    }
    guard made.fingerprint != model.fingerprint else { return .same }
    return .sameDimensions(.otherWeights(made: made.name, model: model.name))
  }

  /// The zip of this bundle: the same bytes for the same files, on every machine.
  package var archive: Data {
    var contents = files.contents
    contents[PresetFiles.sums] = Data(files.sumsText.utf8)
    return ZipWriter.archive(contents)
  }

  /// Writes a zip when the name ends with `.continuo`, else a folder; replaces what was there.
  /// - Throws: `OutputError`, `PresetError.cannotInstall` when something else is in the way.
  package func write(to url: URL) throws {
    if url.pathExtension == "continuo" {
      try AtomicFile.write(archive, to: url)
      return
    }
    let manager = FileManager.default
    let parent = url.deletingLastPathComponent()
    let mark = "\(UInt64.random(in: 0...UInt64.max))"
    let fresh = parent.appendingPathComponent(".\(mark).partial-\(url.lastPathComponent)")
    let old = parent.appendingPathComponent(".\(mark).old-\(url.lastPathComponent)")
    do {
      try manager.createDirectory(at: fresh, withIntermediateDirectories: true)
    } catch {
      throw PresetError.cannotInstall(place: parent.path, reason: "the folder cannot be made")
    }
    defer {
      try? manager.removeItem(at: fresh)
      try? manager.removeItem(at: old)
    }
    var contents = files.contents
    contents[PresetFiles.sums] = Data(files.sumsText.utf8)
    for (name, data) in contents {
      try AtomicFile.write(data, to: fresh.appendingPathComponent(name))
    }
    do {
      if manager.fileExists(atPath: url.path) {
        guard manager.fileExists(atPath: url.appendingPathComponent("preset.json").path) else {
          throw PresetError.cannotInstall(
            place: url.path, reason: "something that is no bundle is there already")
        }
        try manager.moveItem(at: url, to: old)
      }
      try manager.moveItem(at: fresh, to: url)
    } catch let error as PresetError {
      throw error
    } catch {
      throw PresetError.cannotInstall(place: url.path, reason: "it cannot be moved there")
    }
  }
}
