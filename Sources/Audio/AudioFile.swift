// Sound files: any format, rate and channel count that libsndfile reads, block by block, as float;
// WAV, FLAC, OGG and AIFF out, whole or not at all.
// It does not resample (Resampler.swift) and does not measure (Loudness.swift).

import CSndFile
package import Foundation
import Reporting

/// Reads and writes sound files.
package enum AudioFile {
  /// What a file's header says.
  package struct Info: Sendable, Equatable {
    /// Length in sample periods; an estimate for some compressed formats.
    package var frames: Int
    /// Frames per second.
    package var rate: Int
    package var channels: Int
    /// Length in seconds.
    package var seconds: Double { Double(frames) / Double(rate) }
  }

  /// Which part of a file is read. Times in seconds.
  package enum Part: Sendable, Equatable {
    case whole
    case first(seconds: Double)
    case last(seconds: Double)
    case range(from: Double, seconds: Double)
  }

  /// Which channels come back.
  package enum Channels: Sendable, Equatable {
    /// As many as the file has.
    case all
    /// One, the mean of all.
    case mono
    /// Two: a mono file twice; of more than two channels those at odd places (1, 3, …) averaged to the
    /// left, those at even places to the right (ours).
    case stereo
  }

  /// Rates that make sense for sound, in frames per second.
  static let rates = 1_000...768_000
  /// Most channels that are taken seriously.
  static let mostChannels = 64
  /// Samples that a clip in memory may have over all its channels: 1 GiB.
  package static let sampleLimit = 1 << 28
  /// Frames read or written at once.
  static let blockFrames = 4096

  /// What the header of `url` says, checked for sense.
  /// - Throws: `AudioFileError`.
  package static func info(_ url: URL) throws -> Info {
    let handle = try open(url)
    return Info(
      frames: Int(handle.info.frames), rate: Int(handle.info.samplerate),
      channels: Int(handle.info.channels))
  }

  /// Reads `part` of a file as float, full scale ±1.
  /// - Parameters:
  ///   - url: a regular file in any format of libsndfile.
  ///   - part: which part; a `last` or `first` longer than the file is the whole file.
  ///   - channels: which channels come back.
  ///   - sampleLimit: the most samples (frames times returned channels) that may be kept.
  /// - Returns: the clip at the file's own rate, at least one frame.
  /// - Throws: `AudioFileError`.
  package static func read(
    _ url: URL, part: Part = .whole, channels: Channels = .all,
    sampleLimit: Int = AudioFile.sampleLimit
  ) throws -> AudioClip {
    let path = url.path
    let handle = try open(url)
    let rate = Int(handle.info.samplerate)
    let found = Int(handle.info.channels)
    let kept =
      switch channels {
      case .all: found
      case .mono: 1
      case .stereo: 2
      }
    let frameLimit = sampleLimit / kept
    let claimed = Int(handle.info.frames)

    // The part as frames. `tail` is set when the header's length cannot be trusted for a `last`.
    var first = 0
    var count = Int.max
    var tail: Int?
    switch part {
    case .whole:
      if claimed > frameLimit, claimed < Int(Int64.max / 2) {
        throw AudioFileError.tooLong(
          path: path, seconds: Double(claimed) / Double(rate),
          limit: Double(frameLimit) / Double(rate))
      }
    case .first(let seconds): count = frames(seconds, rate)
    case .last(let seconds):
      let wanted = frames(seconds, rate)
      if handle.info.seekable != 0, claimed < Int(Int64.max / 2),
        claimed <= wanted || handle.seek(to: claimed - wanted)
      {
        first = max(claimed - wanted, 0)
      } else {
        tail = wanted
      }
    case .range(let from, let seconds):
      first = frames(from, rate)
      count = frames(seconds, rate)
      if first > 0, !handle.seek(to: first) {
        throw AudioFileError.partOutside(
          path: path, from: from, seconds: Double(claimed) / Double(rate))
      }
    }

    var block = [Float](repeating: 0, count: blockFrames * found)  // (frames, channels)
    var result = [[Float]](repeating: [], count: kept)
    var position = first
    while count > 0 {
      let got = handle.read(&block, frames: min(blockFrames, count))
      guard got > 0 else { break }
      for index in 0..<got * found where !block[index].isFinite {
        throw AudioFileError.notFinite(
          path: path, second: Double(position + index / found) / Double(rate))
      }
      append(block, frames: got, of: found, to: &result, as: channels)
      position += got
      count -= got
      if let tail, result[0].count > 2 * tail + blockFrames {
        for channel in result.indices { result[channel].removeFirst(result[channel].count - tail) }
      }
      guard result[0].count <= frameLimit else {
        throw AudioFileError.tooLong(
          path: path, seconds: Double(max(claimed, position)) / Double(rate),
          limit: Double(frameLimit) / Double(rate))
      }
    }
    if let tail {
      for channel in result.indices {
        result[channel].removeFirst(max(result[channel].count - tail, 0))
      }
    }
    let failure = handle.failure
    if failure.code != 0 { throw AudioFileError.damaged(path: path, reason: failure.words) }
    guard !result[0].isEmpty else {
      if case .range(let from, _) = part, first > 0 {
        throw AudioFileError.partOutside(
          path: path, from: from, seconds: Double(claimed) / Double(rate))
      }
      throw AudioFileError.empty(path: path)
    }
    return AudioClip(rate: rate, channels: result)
  }

  /// Seconds as frames, at least 0 and far from overflow.
  private static func frames(_ seconds: Double, _ rate: Int) -> Int {
    Int(min(max((seconds * Double(rate)).rounded(), 0), 1e15))
  }

  private static func append(
    _ block: [Float], frames: Int, of found: Int, to result: inout [[Float]], as kind: Channels
  ) {
    switch kind {
    case .all:
      for channel in 0..<found {
        for frame in 0..<frames { result[channel].append(block[frame * found + channel]) }
      }
    case .mono:
      for frame in 0..<frames {
        var sum: Float = 0
        for channel in 0..<found { sum += block[frame * found + channel] }
        result[0].append(sum / Float(found))
      }
    case .stereo where found == 1:
      result[0].append(contentsOf: block[0..<frames])
      result[1].append(contentsOf: block[0..<frames])
    case .stereo:
      let lefts = Float((found + 1) / 2)
      let rights = Float(found / 2)
      for frame in 0..<frames {
        var left: Float = 0
        var right: Float = 0
        for channel in 0..<found {
          let value = block[frame * found + channel]
          if channel.isMultiple(of: 2) { left += value } else { right += value }
        }
        result[0].append(left / lefts)
        result[1].append(right / rights)
      }
    }
  }

  /// Opens `url` for reading after checks that give better words than the library's.
  private static func open(_ url: URL) throws -> SoundFileHandle {
    let path = url.path
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { throw AudioFileError.noSuchFile(path: path) }
      throw AudioFileError.notReadable(path: path, reason: unsafe String(cString: strerror(errno)))
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw AudioFileError.notAFile(path: path) }
    guard status.st_size > 0 else { throw AudioFileError.empty(path: path) }
    guard unsafe access(path, R_OK) == 0 else {
      throw AudioFileError.notReadable(path: path, reason: unsafe String(cString: strerror(errno)))
    }
    var code: Int32 = 0
    var words = ""
    guard
      let handle = SoundFileHandle.reading(
        path,
        refused: {
          code = $0
          words = $1
        })
    else {
      if code == Int32(SF_ERR_SYSTEM) {
        throw AudioFileError.notReadable(path: path, reason: words)
      }
      throw AudioFileError.notAudio(path: path, reason: printable(words))
    }
    guard rates.contains(Int(handle.info.samplerate)) else {
      throw AudioFileError.absurdHeader(
        path: path, what: "\(handle.info.samplerate) frames per second")
    }
    guard (1...mostChannels).contains(Int(handle.info.channels)) else {
      throw AudioFileError.absurdHeader(path: path, what: "\(handle.info.channels) channels")
    }
    guard handle.info.frames >= 0 else {
      throw AudioFileError.absurdHeader(path: path, what: "\(handle.info.frames) frames")
    }
    return handle
  }
}
