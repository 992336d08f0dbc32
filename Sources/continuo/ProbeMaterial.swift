// What probes learn from: songs cut into segments, each with a value (has the trait, class, or number).
//
// An item is one file or one version of one song; its segments are made only when they are needed, since
// activations of earlier runs may be there already. Source: paper 2.2 and 4.1 (mixtures with and without a
// stem, silence cut, 3-second segments).

import Audio
import Foundation
import Kernels
import Models
import Reporting

/// Codes (T, K) of one segment and what is known about it.
struct ProbeSegment {
  var codes: [Int32]
  /// 1 or 0 for a trait; a class number; a target.
  var value: Float
}

/// One file, or one version of one song.
struct ProbeItem {
  enum Side { case train, test }

  /// The song that it belongs to: all items of a song are on one side of the split.
  var track: String
  /// The side, where the material itself says so.
  var side: Side?
  /// Names the contents for the cache.
  var key: String
  /// Cuts and encodes it.
  var segments: () throws -> [ProbeSegment]
}

/// What can be wrong with training material.
enum ProbeMaterialError: Explained {
  case noAudio(folder: String)
  case noFolder(path: String)
  case noStem(song: String, stem: String)
  case badTable(file: String, line: Int, reason: String)
  case tooLittle(what: String, found: Int, needed: Int)
  case badCatalogue(folder: String, reason: String)
  case noGroup(group: String, known: [String])

  var kind: FailureKind {
    switch self {
    case .noFolder: .noInput
    case .noGroup: .usage
    default: .data
    }
  }

  var problem: String {
    switch self {
    case .noAudio(let folder): "\(printable(folder)) holds no sound file"
    case .noFolder(let path): "\(printable(path)): no such folder"
    case .noStem(let song, let stem):
      "no file of \(printable(song)) has “\(printable(stem))” in its name"
    case .badTable(let file, let line, let reason):
      "\(printable(file)), line \(line): \(printable(reason))"
    case .tooLittle(let what, let found, let needed):
      "only \(found) \(what), at least \(needed) are needed"
    case .badCatalogue(let folder, let reason):
      "\(printable(folder)) is no readable catalogue: \(printable(reason))"
    case .noGroup(let group, let known):
      "the catalogue has no group “\(printable(group))” (known: \(known.joined(separator: ", ")))"
    }
  }

  var remedy: String {
    switch self {
    case .noAudio: "put .wav, .flac, .ogg, .aiff or .mp3 files there"
    case .noFolder: "check the path"
    case .noStem: "name its stems like drums.wav, or leave that song out"
    case .badTable: "write one file and its value per line, with a comma between"
    case .tooLittle: "give more or longer files"
    case .badCatalogue: "build it again with “continuo catalogue build”"
    case .noGroup: "choose one of them"
    }
  }
}

/// Cuts sound into segments and encodes them.
struct SegmentCutter {
  let model: MusicGen
  /// Length of a segment.
  var seconds: Double
  /// Most segments taken from one item, evenly spread.
  var perItem: Int
  let pool: ComputePool

  /// Segments quieter than this are left out: −60 dB of full scale.
  static let silence = 1e-3
  /// Frames of 20 ms in which a stem is quieter than this do not count as sounding: −52 dB.
  static let stemSilence = 2.5e-3

  /// Names the cut for the cache.
  var key: String { "\(seconds) s, at most \(perItem)" }

  /// Segments of a file, all with `value`.
  func segments(of file: URL, value: Float) throws -> [ProbeSegment] {
    let clip = try AudioFile.read(file, channels: model.channels == 1 ? .mono : .stereo)
      .resampled(to: model.config.sampleRate)
    return try segments(of: clip.channels, value: value)
  }

  /// Segments of sound at the model's rate, silent ones left out.
  func segments(of channels: [[Float]], value: Float) throws -> [ProbeSegment] {
    let frames = Int((seconds * Double(model.stepsPerSecond)).rounded())
    let length = frames * model.hop
    let total = channels[0].count
    guard length > 0, total >= length else { return [] }
    let starts = stride(from: 0, through: total - length, by: length).filter { start in
      rootMeanSquare(channels, start..<start + length) >= Self.silence
    }
    return try evenly(starts, perItem).map { start in
      let part = channels.map { Array($0[start..<start + length]) }
      return ProbeSegment(codes: try model.encode(part, pool: pool), value: value)
    }
  }

  /// A song's stems as two sounds: everything, and everything but the stems called `stem`, both cut to
  /// where those sound.
  func mixes(of song: URL, stem: String) throws -> (with: [[Float]], without: [[Float]]) {
    let files = try ProbeMaterial.audioFiles(in: song)
    let isTarget = files.map { $0.lastPathComponent.lowercased().contains(stem.lowercased()) }
    guard isTarget.contains(true) else {
      throw ProbeMaterialError.noStem(song: song.lastPathComponent, stem: stem)
    }
    let clips = try files.map {
      try AudioFile.read($0, channels: model.channels == 1 ? .mono : .stereo)
        .resampled(to: model.config.sampleRate).channels
    }
    let length = clips.map { $0[0].count }.max() ?? 0
    var with = [[Float]](repeating: [Float](repeating: 0, count: length), count: model.channels)
    var target = with
    for (clip, isTarget) in zip(clips, isTarget) {
      for channel in with.indices {
        for index in clip[channel].indices {
          with[channel][index] += clip[channel][index]
          if isTarget { target[channel][index] += clip[channel][index] }
        }
      }
    }
    // Stretches of 20 ms in which the target sounds; gaps below half a second are kept.
    let hop = model.hop
    var sounding = (0..<length / hop).map {
      rootMeanSquare(target, $0 * hop..<($0 + 1) * hop) >= Self.stemSilence
    }
    var last = -1
    for index in sounding.indices where sounding[index] {
      if last >= 0, index - last <= 25 { for gap in last..<index { sounding[gap] = true } }
      last = index
    }
    var kept = with.map { _ in [Float]() }
    var rest = kept
    for index in sounding.indices where sounding[index] {
      for channel in with.indices {
        for place in index * hop..<(index + 1) * hop {
          kept[channel].append(with[channel][place])
          rest[channel].append(with[channel][place] - target[channel][place])
        }
      }
    }
    return (kept, rest)
  }

  private func rootMeanSquare(_ channels: [[Float]], _ range: Range<Int>) -> Double {
    var sum = 0.0
    for channel in channels {
      for index in range { sum += Double(channel[index] * channel[index]) }
    }
    return (sum / Double(max(range.count * channels.count, 1))).squareRoot()
  }
}

/// `count` of the elements, evenly spread.
func evenly<Element>(_ elements: [Element], _ count: Int) -> [Element] {
  guard elements.count > count, count > 0 else { return count > 0 ? elements : [] }
  return (0..<count).map { elements[$0 * elements.count / count] }
}

/// Where items come from.
enum ProbeMaterial {
  private static let extensions = ["wav", "flac", "ogg", "oga", "aiff", "aif", "mp3", "opus", "au"]

  /// Sound files below a folder, sorted.
  static func audioFiles(in folder: URL) throws -> [URL] {
    var isFolder: ObjCBool = false
    guard unsafe FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder),
      isFolder.boolValue, let found = FileManager.default.enumerator(atPath: folder.path)
    else {
      throw ProbeMaterialError.noFolder(path: folder.path)
    }
    let files = found.compactMap { $0 as? String }
      .filter { extensions.contains(($0 as NSString).pathExtension.lowercased()) }.sorted()
      .map { folder.appendingPathComponent($0) }
    guard !files.isEmpty else { throw ProbeMaterialError.noAudio(folder: folder.path) }
    return files
  }

  /// Every file of a folder with one value. Files of the same name in several folders are one song.
  static func folder(_ folder: URL, value: Float, _ cutter: SegmentCutter) throws -> [ProbeItem] {
    try audioFiles(in: folder).map { file in
      ProbeItem(
        track: file.deletingPathExtension().lastPathComponent, side: nil,
        key: "\(identity(of: file)) = \(value), \(cutter.key)",
        segments: { try cutter.segments(of: file, value: value) })
    }
  }

  /// The folders of stems in a folder, sorted.
  static func songs(in folder: URL) throws -> [URL] {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
    let songs = names.map { folder.appendingPathComponent($0, isDirectory: true) }.filter { song in
      (try? audioFiles(in: song))?.isEmpty == false && song.pathExtension.isEmpty
    }
    guard !songs.isEmpty else { throw ProbeMaterialError.noAudio(folder: folder.path) }
    return songs
  }

  /// A folder of songs, each a folder of stems: with the stem, and without it.
  static func stems(_ folder: URL, stem: String, _ cutter: SegmentCutter) throws -> [ProbeItem] {
    try songs(in: folder).map { song in
      let files = try audioFiles(in: song).map(identity(of:)).joined(separator: "\n")
      return ProbeItem(
        track: song.lastPathComponent, side: nil,
        key: "\(files)\nwith and without \(stem), \(cutter.key)",
        segments: {
          let mixes = try cutter.mixes(of: song, stem: stem)
          return try cutter.segments(of: mixes.with, value: 1)
            + cutter.segments(of: mixes.without, value: 0)
        })
    }
  }

  /// Lines "file,value": relative paths start at the table's folder; a first line without a number is a
  /// heading.
  static func table(_ file: URL) throws -> [(file: URL, value: String)] {
    guard let text = try? String(contentsOf: file, encoding: .utf8) else {
      throw ProbeMaterialError.badTable(file: file.path, line: 1, reason: "it cannot be read")
    }
    var rows: [(URL, String)] = []
    for (index, line) in text.split(whereSeparator: \.isNewline).enumerated() {
      guard let comma = line.lastIndex(of: ",") else {
        throw ProbeMaterialError.badTable(file: file.path, line: index + 1, reason: "has no comma")
      }
      let name = line[..<comma].trimmingCharacters(in: CharacterSet(charactersIn: " \"\t"))
      let value = line[line.index(after: comma)...].trimmingCharacters(in: .whitespaces)
      let url = URL(fileURLWithPath: name, relativeTo: file.deletingLastPathComponent())
      if index == 0, !FileManager.default.fileExists(atPath: url.path) { continue }
      rows.append((url.absoluteURL, value))
    }
    return rows
  }

  /// Path, size and time of change.
  static func identity(of file: URL) -> String {
    let path = file.resolvingSymlinksInPath().path
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    let size = attributes?[.size] as? Int ?? 0
    let date = (attributes?[.modificationDate] as? Date)?.timeIntervalSinceReferenceDate ?? 0
    return "\(path) \(size) \(date)"
  }
}
