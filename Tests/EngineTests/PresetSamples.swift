// Small bundles for the tests of everything that reads them.

import Engine
import Foundation
import Models
import TestSupport

enum PresetSamples {
  static let layers = 2
  static let heads = 3
  static let dimension = 4

  static func model(fingerprint: Character = "a") -> ModelIdentity {
    ModelIdentity(
      family: "musicgen", name: "tiny", layers: layers, heads: heads, headDimension: dimension,
      fingerprint: String(repeating: fingerprint, count: 64))
  }

  static func manifest(id: String = "org.example.drums", version: String = "1.0.0")
    -> PresetManifest
  {
    var manifest = PresetManifest(
      id: id, name: "Drums", version: version, model: model(),
      traits: [
        PresetTrait(id: "drums", label: "Drums", ends: ["none", "drums"], tensors: "drums")
      ])
    manifest.licence = "CC0-1.0"
    manifest.authors = ["Ann Example"]
    return manifest
  }

  static func probes(seed: UInt64 = 1) -> ProbeSet {
    var random = TestRandom(seed: seed)
    let count = layers * heads
    return ProbeSet(
      layers: layers, heads: heads, headDimension: dimension,
      theta: random.normal(count * dimension), bias: random.normal(count),
      sigma: random.normal(count).map { abs($0) + 0.1 },
      accuracyTrain: (0..<count).map { _ in 0.75 + 0.2 * random.uniform() },
      accuracyTest: (0..<count).map { _ in 0.75 + 0.2 * random.uniform() },
      meanDifference: random.normal(count * dimension))
  }

  static func bundle(id: String = "org.example.drums", version: String = "1.0.0", seed: UInt64 = 1)
    throws -> PresetBundle
  {
    try PresetBundle(
      manifest: manifest(id: id, version: version), probes: ["drums": probes(seed: seed)],
      extras: ["README.md": Data("# Drums\n".utf8)], place: "sample")
  }

  /// The sample's files with changes, with fresh sums.
  static func files(_ change: (inout [String: Data]) -> Void) throws -> PresetFiles {
    var contents = try bundle().files.contents
    change(&contents)
    contents[PresetFiles.sums] = nil
    var files = PresetFiles(contents: contents)
    files.contents[PresetFiles.sums] = Data(files.sumsText.utf8)
    return files
  }

  /// The sample with a change in the text of its preset.json.
  static func bundle(replacing old: String, with new: String) throws -> PresetBundle {
    let files = try files { contents in
      let text = String(decoding: contents["preset.json"] ?? Data(), as: UTF8.self)
      precondition(text.contains(old), "the manifest holds no \(old)")
      contents["preset.json"] = Data(text.replacingOccurrences(of: old, with: new).utf8)
    }
    return try PresetBundle(files: files, place: "sample")
  }
}
