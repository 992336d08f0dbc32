// The sound that is continued: read from any file, brought to the model's rate and channels.

import Audio
import Foundation

/// A prompt at the model's rate.
struct Prompt {
  /// Samples, a whole number of codec frames.  // (channels, samples)
  var channels: [[Float]]
  /// Length in seconds.
  var seconds: Double

  /// Below this every sample counts as silence: −80 dB of full scale.
  static let silence: Float = 1e-4
  /// Shortest prompt, in seconds.
  static let shortest = 0.1

  /// Reads the end of a file.
  /// - Parameters:
  ///   - seconds: how much of the end.
  ///   - rate: the model's frames per second.
  ///   - count: the model's channels, 1 or 2.
  ///   - hop: samples per codec frame; what is over is cut from the beginning, so that the end stays.
  /// - Throws: `AudioFileError`, `CommandError`.
  init(contentsOf url: URL, seconds: Double, rate: Int, channels count: Int, hop: Int) throws {
    let clip = try AudioFile.read(
      url, part: .last(seconds: seconds), channels: count == 1 ? .mono : .stereo)
    guard clip.seconds >= Self.shortest else {
      throw CommandError.shortPrompt(path: url.path, seconds: clip.seconds, least: Self.shortest)
    }
    guard clip.peak >= Self.silence else { throw CommandError.silentPrompt(path: url.path) }
    let resampled = try clip.resampled(to: rate, quality: .veryHigh)
    let over = resampled.frames % hop
    channels = resampled.channels.map { Array($0.dropFirst(over)) }
    self.seconds = Double(resampled.frames - over) / Double(rate)
  }
}
