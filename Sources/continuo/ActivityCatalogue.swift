// A catalogue that says when each group of instruments plays: exact labels, and codes without encoding.
//
// In: `catalogue.json` with `activity` per track (lists of [first, last + 1] in steps) and `codes.safetensors` with
// codes (K, T) per track. Out: items of segments in which a group sounds, or does not at all.

import Foundation
import HouseModel
import Models

/// The tracks of a catalogue with activity.
struct ActivityCatalogue {
  struct Track: Decodable {
    var id: String
    var tags: [String]?
    var split: String?
    /// The tags that are no instruments, where the catalogue tells them apart.
    var style: String?
    var key: String?
    /// Beats per minute as it was composed.
    var bpm: Double?
    var activity: [String: [[Int]]]?

    private enum CodingKeys: String, CodingKey { case id, tags, split, style, key, bpm, activity }

    init(from decoder: any Decoder) throws {
      let table = try decoder.container(keyedBy: CodingKeys.self)
      id = try table.decode(String.self, forKey: .id)
      // Tags are a list, or one text.
      tags = try? table.decodeIfPresent([String].self, forKey: .tags)
      if tags == nil, let text = try? table.decodeIfPresent(String.self, forKey: .tags) {
        tags = [text]
      }
      split = try? table.decodeIfPresent(String.self, forKey: .split)
      style = try? table.decodeIfPresent(String.self, forKey: .style)
      key = try? table.decodeIfPresent(String.self, forKey: .key)
      bpm = try? table.decodeIfPresent(Double.self, forKey: .bpm)
      activity = try? table.decodeIfPresent([String: [[Int]]].self, forKey: .activity)
    }
  }

  private struct File: Decodable {
    var tracks: [Track]
    var groups: [String]?
  }

  let folder: URL
  let tracks: [Track]
  /// Groups of instruments that activity is known of.
  let groups: [String]
  private let store: TensorStore

  /// - Throws: `ProbeMaterialError.badCatalogue`, `SafetensorsError`.
  init(_ folder: URL) throws {
    self.folder = folder
    let json = folder.appendingPathComponent("catalogue.json")
    guard let data = try? Data(contentsOf: json) else {
      throw ProbeMaterialError.badCatalogue(
        folder: folder.path, reason: "it has no catalogue.json")
    }
    guard let file = try? JSONDecoder().decode(File.self, from: data) else {
      throw ProbeMaterialError.badCatalogue(
        folder: folder.path, reason: "catalogue.json is not of the expected form")
    }
    store = try TensorStore(file: folder.appendingPathComponent("codes.safetensors"))
    tracks = file.tracks.filter { $0.activity != nil }
    groups = file.groups ?? Set(tracks.flatMap { ($0.activity ?? [:]).keys }).sorted()
  }

  /// A catalogue by its folder, or one that ships: “house” (what the house model learned from) and
  /// “house-test” (songs that it did not).
  init(named name: String) throws {
    let shipped = ["house": "catalogue", "house-test": "test-songs"]
    if !FileManager.default.fileExists(atPath: name), let folder = shipped[name] {
      try self.init(HouseModel.resources.appendingPathComponent(folder))
    } else {
      try self.init(URL(fileURLWithPath: name))
    }
  }

  /// Codes (T, K) of a track.
  /// - Throws: `SafetensorsError`, `ProbeMaterialError.badCatalogue`.
  func codes(_ track: Track, codebooks: Int) throws -> [Int32] {
    let tensor = try store.tensor(track.id)
    guard tensor.shape.count == 2, tensor.shape[0] == codebooks else {
      throw ProbeMaterialError.badCatalogue(
        folder: folder.path,
        reason: "track \(track.id) has codes of shape \(tensor.shape), (\(codebooks), T) is needed")
    }
    let frames = tensor.shape[1]
    let values = try tensor.integers()
    return (0..<frames * codebooks).map { values[$0 % codebooks * frames + $0 / codebooks] }
  }

  /// Steps of `range` in which `group` sounds, 0 … 1.
  static func share(_ track: Track, _ group: String, _ range: Range<Int>) -> Double {
    let runs = track.activity?[group] ?? []
    let sounding = runs.reduce(0) { sum, run in
      guard run.count == 2 else { return sum }
      return sum + max(0, min(run[1], range.upperBound) - max(run[0], range.lowerBound))
    }
    return Double(sounding) / Double(max(range.count, 1))
  }

  /// Starts of windows of `frames` steps in which the group sounds (most of the window, its last second
  /// too) and in which it does not sound at all; a window every second.
  static func windows(_ track: Track, _ group: String, total: Int, frames: Int)
    -> (with: [Int], without: [Int])
  {
    var with: [Int] = []
    var without: [Int] = []
    for start in stride(from: 0, through: total - frames, by: 50) {
      let whole = share(track, group, start..<start + frames)
      let end = share(track, group, start + frames - min(50, frames)..<start + frames)
      if whole >= 0.6, end >= 0.5 { with.append(start) }
      if whole == 0 { without.append(start) }
    }
    return (with, without)
  }

  /// One item per track with at most `perItem` windows of each kind.
  /// - Throws: `ProbeMaterialError.noGroup`.
  func items(group: String, frames: Int, perItem: Int, codebooks: Int) throws -> [ProbeItem] {
    guard groups.contains(group) else {
      throw ProbeMaterialError.noGroup(group: group, known: groups)
    }
    let identity = ProbeMaterial.identity(of: folder.appendingPathComponent("codes.safetensors"))
    return tracks.map { track in
      ProbeItem(
        track: track.id, side: side(track),
        key: "\(identity)\n\(track.id) \(group), \(frames) steps, at most \(perItem)",
        segments: {
          let codes = try codes(track, codebooks: codebooks)
          let windows = Self.windows(
            track, group, total: codes.count / codebooks, frames: frames)
          func cut(_ starts: [Int], _ value: Float) -> [ProbeSegment] {
            evenly(starts, perItem).map { start in
              let range = start * codebooks..<(start + frames) * codebooks
              return ProbeSegment(codes: Array(codes[range]), value: value)
            }
          }
          return cut(windows.with, 1) + cut(windows.without, 0)
        })
    }
  }

  /// One item per track with windows whatever sounds in them, all with `value`.
  func items(value: Float, frames: Int, perItem: Int, codebooks: Int) -> [ProbeItem] {
    let identity = ProbeMaterial.identity(of: folder.appendingPathComponent("codes.safetensors"))
    return tracks.map { track in
      ProbeItem(
        track: track.id, side: side(track),
        key: "\(identity)\n\(track.id) = \(value), \(frames) steps, at most \(perItem)",
        segments: {
          let codes = try codes(track, codebooks: codebooks)
          let starts = Array(
            stride(from: 0, through: codes.count / codebooks - frames, by: frames))
          return evenly(starts, perItem).map { start in
            let range = start * codebooks..<(start + frames) * codebooks
            return ProbeSegment(codes: Array(codes[range]), value: value)
          }
        })
    }
  }

  private func side(_ track: Track) -> ProbeItem.Side? {
    switch track.split {
    case "train": .train
    case "test", "validation": .test
    default: nil
    }
  }
}
