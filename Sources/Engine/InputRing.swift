// What the musician plays, on its way from the audio callback to the encoder.
//
// Threading: one writer (the audio callback: `write`), one reader (the generation thread: `read`).
// `filled` is stored by the writer after the samples; frames in validFrom ..< filled, at most
// `capacity` back, may be read. The reader keeps a safety distance of one largest period from the
// oldest frames, because the writer goes on while it reads.

import Synchronization

/// One channel of sound from the past, by absolute engine frame.
package struct InputRing: ~Copyable, Sendable {
  /// The writer may be this far ahead of what a slow reader believes, in frames.
  private static let guardFrames = 16384

  private let samples: FloatRing
  private let filledFrames = Atomic<Int>(0)
  private let validFromFrame = Atomic<Int>(0)

  /// - Parameter capacity: frames that stay readable at least.
  package init(capacity: Int) { samples = FloatRing(minimum: capacity + Self.guardFrames) }

  /// Frames before this one have been played.
  package var filled: Int { filledFrames.load(ordering: .acquiring) }
  /// The oldest frame that can still be read.
  package var oldest: Int {
    max(
      validFromFrame.load(ordering: .acquiring),
      filled - samples.capacity + Self.guardFrames)
  }

  /// Stores `count` frames from `frame` on; writer only. A gap behind the newest frame (the server
  /// skipped periods) becomes silence when it is short, and the new beginning when it is long.
  @_noLocks func write(_ source: UnsafePointer<Float>, at frame: Int, count: Int) {
    let end = filledFrames.load(ordering: .relaxed)
    let gap = frame &- end
    if gap > 0 && gap <= 16384 {
      samples.clear(at: end, count: gap)
    } else if gap != 0 {
      validFromFrame.store(frame, ordering: .releasing)
    }
    unsafe samples.store(source, at: frame, count: count)
    filledFrames.store(frame &+ count, ordering: .releasing)
  }

  /// Copies `target.count` frames from `frame` on; reader only. What was never played or is gone
  /// already reads as silence.
  /// - Returns: how many of the frames were there.
  package func read(at frame: Int, into target: inout MutableSpan<Float>) -> Int {
    let end = min(filled, frame + target.count)
    let begin = max(oldest, frame)
    for index in 0..<target.count { target[index] = 0 }
    guard begin < end else { return 0 }
    unsafe target.withUnsafeMutableBufferPointer { buffer in
      unsafe samples.copy(
        from: begin, count: end - begin, to: buffer.baseAddress! + (begin - frame))
    }
    return end - begin
  }
}
