// Songs that no training saw, as codes: what generators and codecs are examined on.
//
// From a catalogue (tracks of the splits test and validation where it has them, else all), or from a folder of sound
// files, which are encoded.

import Audio
import Foundation
import HouseModel
import Kernels
import Models

/// A song to examine with.
struct TestSong {
  var id: String
  /// (T, K).
  var codes: [Int32]
  /// What a catalogue knows about it.
  var track: ActivityCatalogue.Track?
}

enum TestSongs {
  /// The songs that ship for examinations.
  static var shipped: String { HouseModel.resources.appendingPathComponent("test-songs").path }

  /// Songs of at least `frames` steps, cut to them.
  /// - Throws: `ProbeMaterialError`, `SafetensorsError`.
  static func of(_ catalogues: [ActivityCatalogue], codebooks: Int, frames: Int, count: Int) throws
    -> [TestSong]
  {
    var songs: [TestSong] = []
    for catalogue in catalogues {
      let held = catalogue.tracks.filter { $0.split == "test" || $0.split == "validation" }
      for track in held.isEmpty ? catalogue.tracks : held where songs.count < count {
        let codes = try catalogue.codes(track, codebooks: codebooks)
        guard codes.count >= frames * codebooks else { continue }
        songs.append(
          TestSong(id: track.id, codes: Array(codes.prefix(frames * codebooks)), track: track))
      }
    }
    return songs
  }

  /// The first `frames` steps of the sound files of a folder that are long enough, encoded.
  /// - Throws: `ProbeMaterialError`, `AudioFileError`.
  static func of(_ folder: URL, model: MusicGen, frames: Int, count: Int, pool: ComputePool) throws
    -> [TestSong]
  {
    var songs: [TestSong] = []
    let seconds = Double(frames) / Double(model.stepsPerSecond)
    for file in try ProbeMaterial.audioFiles(in: folder) where songs.count < count {
      guard try AudioFile.info(file).seconds >= seconds - 1e-3 else { continue }
      let clip = try AudioFile.read(
        file, part: .first(seconds: seconds), channels: model.channels == 1 ? .mono : .stereo
      ).resampled(to: model.config.sampleRate)
      let codes = try model.encode(clip.channels, pool: pool)
      let needed = frames * model.config.decoder.codebooks
      guard codes.count >= needed else { continue }
      songs.append(
        TestSong(
          id: file.deletingPathExtension().lastPathComponent, codes: Array(codes.prefix(needed)),
          track: nil))
    }
    return songs
  }

  /// Refuses fewer than two.
  static func check(_ songs: [TestSong], seconds: Double) throws {
    guard songs.count >= 2 else {
      throw ProbeMaterialError.tooLittle(
        what: String(format: "songs of at least %g s", seconds), found: songs.count, needed: 2)
    }
  }
}
