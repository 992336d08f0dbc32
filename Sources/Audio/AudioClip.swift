// Sound in memory: one array of samples per channel, full scale ±1.

import Foundation

/// A piece of sound. Value type; what files are read into and written from.
package struct AudioClip: Sendable, Equatable {
  /// Frames per second.
  package var rate: Int
  /// The samples, full scale ±1.  // (channels, frames)
  package var channels: [[Float]]

  /// - Parameters:
  ///   - rate: frames per second, above 0.
  ///   - channels: samples of each channel, all of one length.  // (channels, frames)
  package init(rate: Int, channels: [[Float]]) {
    precondition(rate > 0 && Set(channels.map(\.count)).count <= 1)
    self.rate = rate
    self.channels = channels
  }

  /// Length in sample periods.
  package var frames: Int { channels.first?.count ?? 0 }
  /// Length in seconds.
  package var seconds: Double { Double(frames) / Double(rate) }
  /// Largest absolute sample of all channels, 0 when empty.
  package var peak: Float {
    channels.reduce(0) { largest, channel in channel.reduce(largest) { max($0, abs($1)) } }
  }

  /// The mean of all channels.  // (frames)
  package var mono: [Float] {
    guard channels.count != 1 else { return channels[0] }
    var mixed = [Float](repeating: 0, count: frames)
    let share = 1 / Float(max(channels.count, 1))
    for channel in channels {
      for frame in mixed.indices { mixed[frame] += share * channel[frame] }
    }
    return mixed
  }

  /// This clip at another rate, its length rounded to the nearest frame.
  package func resampled(to rate: Int, quality: ResamplingQuality = .high) throws -> AudioClip {
    guard rate != self.rate else { return self }
    return AudioClip(
      rate: rate,
      channels: try channels.map {
        try Resampler.resample($0, from: self.rate, to: rate, quality: quality)
      })
  }
}
