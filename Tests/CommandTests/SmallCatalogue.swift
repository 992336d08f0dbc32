// A small catalogue and a small model with a vocabulary, for the tests of evaluations.

import Engine
import Foundation
import Models
import TestSupport

/// Writes things that evaluations need.
enum SmallCatalogue {
  static let groups = ["drums", "bass", "guitar", "piano", "other"]

  /// A catalogue of `count` songs of `frames` random steps for the model of Fixtures/MusicGen/mono. Drums sound in
  /// the first third of each song, bass, guitar and piano in the second, others in the second and the third.
  static func write(to folder: URL, split: String, count: Int, frames: Int, seed: UInt64 = 1) throws
  {
    var random = TestRandom(seed: seed)
    var tracks: [[String: Any]] = []
    var entries: [SafetensorsWriter.Entry] = []
    for song in 0..<count {
      let id = "\(split)-\(song)"
      let third = frames / 3
      tracks.append([
        "id": id, "title": id, "split": split, "style": "rock", "key": "c major", "seconds": 1,
        "tags": "rock, slap bass, drums, jazz piano, strings, 120 bpm, c major",
        "activity": Dictionary(
          uniqueKeysWithValues: groups.map { group in

            (
              group,
              group == "drums"
                ? [[0, third]] : [[third, group == "other" ? frames : 2 * third]]
            )
          }),
      ])
      let codes = (0..<4 * frames).map { _ in Int32(random.next() % 16) }
      entries.append(.init(name: id, shape: [4, frames], integers: codes))
    }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try JSONSerialization.data(withJSONObject: ["tracks": tracks, "groups": groups])
      .write(to: folder.appendingPathComponent("catalogue.json"))
    try SafetensorsWriter.write(entries, to: folder.appendingPathComponent("codes.safetensors"))
  }

  /// The model of Fixtures/MusicGen/mono with a vocabulary beside it.
  static func model(in folder: URL) throws -> String {
    try FileManager.default.copyItem(at: fixture("MusicGen/mono/model"), to: folder)
    try FileManager.default.copyItem(
      at: fixture("tokenizer/spiece.model"), to: folder.appendingPathComponent("spiece.model"))
    return folder.path
  }

  /// A bundle of knobs for that model, with random probes.
  static func bundle(_ traits: [String]) throws -> PresetBundle {
    let (layers, heads, dimension) = (2, 2, 8)
    var random = TestRandom(seed: 9)
    let count = layers * heads
    var manifest = PresetManifest(
      id: "org.example.knobs", name: "Knobs", version: "1.0.0",
      model: ModelIdentity(
        family: "musicgen", name: "tiny", layers: layers, heads: heads, headDimension: dimension,
        fingerprint: String(repeating: "0", count: 64)),
      traits: traits.map { trait in
        var knob = PresetTrait(id: trait, label: trait, ends: ["less", "more"], tensors: trait)
        knob.accuracy = PresetTrait.Accuracy()
        knob.accuracy?.bestTest = 0.9
        return knob
      })
    manifest.licence = "CC0-1.0"
    var probes: [String: ProbeSet] = [:]
    for trait in traits {
      probes[trait] = ProbeSet(
        layers: layers, heads: heads, headDimension: dimension,
        theta: random.normal(count * dimension), bias: random.normal(count, scale: 0.1),
        sigma: [Float](repeating: 0.5, count: count),
        accuracyTrain: (0..<count).map { 0.7 + 0.05 * Float($0) },
        accuracyTest: (0..<count).map { 0.7 + 0.05 * Float($0) },
        meanDifference: random.normal(count * dimension))
    }
    return try PresetBundle(manifest: manifest, probes: probes, extras: [:], place: "sample")
  }
}
