// A small catalogue and a small model with a vocabulary, for the tests of evaluations.

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
}
