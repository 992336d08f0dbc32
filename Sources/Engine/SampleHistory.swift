// The newest seconds of the model's sound, by absolute sample, to resample from and to go back in.

/// A window on a growing signal: the last `capacity` samples of each channel. Used by one thread.
package struct SampleHistory: Sendable {
  package let channels: Int
  package let capacity: Int
  private var storage: [Float]  // (channels, 2 · capacity): moved down when the end is reached
  private var base = 0
  /// Samples so far: the number of the next one.
  package private(set) var end = 0

  package init(channels: Int, capacity: Int) {
    self.channels = channels
    self.capacity = capacity
    storage = [Float](repeating: 0, count: channels * 2 * capacity)
  }

  /// The oldest sample that is kept.
  package var start: Int { max(base, end - capacity) }

  /// Adds `count` interleaved frames of `samples` (frames, channels), behind the first `skipped`, to the
  /// end.
  package mutating func append(_ samples: Span<Float>, skipping skipped: Int = 0, count: Int) {
    precondition(count <= capacity, "\(count) samples at once")
    if end - base + count > 2 * capacity {
      let keep = min(capacity, end - base)
      let shift = end - base - keep
      for channel in 0..<channels {
        let row = channel * 2 * capacity
        for index in 0..<keep { storage[row + index] = storage[row + shift + index] }
      }
      base += shift
    }
    let place = end - base
    for channel in 0..<channels {
      let row = channel * 2 * capacity + place
      for index in 0..<count {
        storage[row + index] = samples[(skipped + index) * channels + channel]
      }
    }
    end += count
  }

  /// Forgets the samples from `sample` on.
  package mutating func truncate(to sample: Int) {
    precondition(sample >= start && sample <= end, "sample \(sample) is not kept")
    end = sample
  }

  /// Forgets everything; the next sample is number `sample`.
  package mutating func restart(at sample: Int) {
    base = sample
    end = sample
  }

  /// Calls `body` with the samples of a channel that are kept in `range`, and the number of the first.
  package func withSamples<Result>(
    channel: Int, _ range: Range<Int>, _ body: (Span<Float>, Int) -> Result
  ) -> Result {
    let first = min(max(range.lowerBound, start), end)
    let last = max(min(range.upperBound, end), first)
    let row = channel * 2 * capacity - base
    return body(storage.span.extracting((row + first)..<(row + last)), first)
  }
}
