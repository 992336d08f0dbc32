// Sound files out: as a stream or at once, whole or not at all, every failed write noticed.

import CSndFile
package import Foundation
import Reporting

/// How samples are stored.
package enum SampleEncoding: Sendable {
  /// What loses least in the format: 32-bit float in WAV and AIFF, 24 bits in FLAC.
  case best
  /// Signed integers of 16 bits; what is above full scale is clipped.
  case bits16
  /// Signed integers of 24 bits; what is above full scale is clipped.
  case bits24
}

/// Takes sound block by block while a file is written. Used from one thread, inside `AudioFile.write`.
package final class AudioFileWriter {
  private let handle: SoundFileHandle
  private let destination: URL
  private let channels: Int
  /// Frames written up to now.
  package private(set) var frames = 0

  fileprivate init(
    _ temporary: URL, for destination: URL, rate: Int, channels: Int, encoding: SampleEncoding
  ) throws {
    self.destination = destination
    self.channels = channels
    let format = try AudioFile.format(of: destination, encoding: encoding)
    var reason = ""
    guard
      let opened = SoundFileHandle.writing(
        temporary.path, rate: rate, channels: channels, format: format,
        refused: { _, words in reason = words })
    else {
      throw AudioFileError.formatRefused(
        path: destination.path, what: "\(channels) channels at \(rate) Hz are refused (\(reason))")
    }
    handle = opened
  }

  /// Appends a block, full scale ±1. Written at once, so that a full disk is noticed early.
  /// - Parameter block: one array per channel, all of one length.  // (channels, frames)
  /// - Throws: `OutputError.writing`.
  package func append(_ block: [[Float]]) throws {
    precondition(block.count == channels && Set(block.map(\.count)).count <= 1)
    let total = block.first?.count ?? 0
    var start = 0
    var interleaved = [Float](repeating: 0, count: AudioFile.blockFrames * channels)
    while start < total {
      let count = min(AudioFile.blockFrames, total - start)
      for (channel, samples) in block.enumerated() {
        for frame in 0..<count {
          let value = samples[start + frame]
          interleaved[frame * channels + channel] = value.isFinite ? value : 0
        }
      }
      guard handle.write(interleaved, frames: count) == count else {
        throw OutputError.writing(path: destination.path, reason: printable(handle.failure.words))
      }
      start += count
    }
    frames += total
  }

  fileprivate func close() throws {
    let earlier = handle.failure
    let code = handle.close()
    guard earlier.code == 0, code == 0 else {
      throw OutputError.writing(
        path: destination.path,
        reason: earlier.code == 0 ? "error \(code) while closing" : printable(earlier.words))
    }
  }
}

extension AudioFile {
  /// Writes a file as a stream; the format follows the ending (.wav, .flac, .ogg, .aiff).
  ///
  /// The file appears under its name only when `body` has returned and everything is on disk; when
  /// anything fails, nothing is left and what was there before stays.
  /// - Parameters:
  ///   - url: where to.
  ///   - rate: frames per second.
  ///   - channels: how many.
  ///   - encoding: how samples are stored.
  ///   - body: appends the sound.
  /// - Throws: `AudioFileError`, `OutputError`, or what `body` throws.
  package static func write<Result>(
    to url: URL, rate: Int, channels: Int, encoding: SampleEncoding = .best,
    _ body: (AudioFileWriter) throws -> Result
  ) throws -> Result {
    _ = try format(of: url, encoding: encoding)
    return try AtomicFile.write(to: url) { temporary in
      let writer = try AudioFileWriter(
        temporary, for: url, rate: rate, channels: channels, encoding: encoding)
      let result = try body(writer)
      try writer.close()
      // Some encoders swallow a failed last write: ask the file itself how long it is.
      let written = (try? info(temporary))?.frames ?? 0
      guard written == writer.frames else {
        throw OutputError.writing(
          path: url.path, reason: "\(written) of \(writer.frames) frames reached the disk")
      }
      return result
    }
  }

  /// Writes a clip as a file, whole or not at all.
  package static func write(
    _ clip: AudioClip, to url: URL, encoding: SampleEncoding = .best
  ) throws {
    try write(to: url, rate: clip.rate, channels: clip.channels.count, encoding: encoding) {
      try $0.append(clip.channels)
    }
  }

  /// Whether a sound file can be written under this name.
  package static func canWrite(_ url: URL) -> Bool {
    (try? format(of: url, encoding: .best)) != nil
  }

  /// libsndfile's format code for a name's ending.
  fileprivate static func format(of url: URL, encoding: SampleEncoding) throws -> Int32 {
    let bits = encoding == .bits16 ? SF_FORMAT_PCM_16 : SF_FORMAT_PCM_24
    let plain = encoding == .best ? SF_FORMAT_FLOAT : bits
    return switch url.pathExtension.lowercased() {
    case "wav": Int32(SF_FORMAT_WAV | plain)
    case "aif", "aiff": Int32(SF_FORMAT_AIFF | plain)
    case "flac": Int32(SF_FORMAT_FLAC | bits)
    case "ogg": Int32(SF_FORMAT_OGG | SF_FORMAT_VORBIS)
    default: throw AudioFileError.unknownExtension(path: url.path)
    }
  }
}
