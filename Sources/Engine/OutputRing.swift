// The way of generated sound to the audio callback, with the right to change one's mind.
//
// Frames are addressed by absolute engine frame, so that "what sounds at T" has one place, and a
// generator that rolls back writes the frames of the same moments again.
//
// Threading: one writer (the generation thread: `publish`, `truncate`), one reader (the audio
// callback: `read`). Two indices:
//
//   claimed   frames before it belong to the reader: it has played them or is reading them now.
//             Stored by the reader alone, before it reads.
//   written   frames in claimed ..< written may be read. Stored by the writer alone.
//
// To rewrite from frame P the writer first pulls `written` back to P, then looks at `claimed`. Both
// sides store their own index before they load the other's, sequentially consistent, so at least one of
// them sees the other: either the reader sees `written` ≤ P and stays below P, or the writer sees the
// claim and begins behind it. No frame is ever read while it is written. The old frames go on sounding
// until the new ones are ready, because the writer publishes only finished sound. When the reader has
// overtaken P meanwhile, the late part is dropped and the rest is cross-faded from the old sound.

import Synchronization

/// What became of published frames.
package struct Published: Equatable, Sendable {
  /// The first frame that the listener will hear from this call.
  package let start: Int
  /// Frames at the beginning that came too late.
  package let late: Int
}

/// Two channels of sound for the future, rewritable until they are claimed.
package struct OutputRing: ~Copyable, Sendable {
  /// Length of the cross-fade after a late rewrite, in frames.
  package static let lateFade = 256

  private let left: FloatRing
  private let right: FloatRing
  private let claimedFrames = Atomic<Int>(0)
  private let writtenFrames = Atomic<Int>(0)

  /// - Parameter capacity: frames that fit at least.
  package init(capacity: Int) {
    left = FloatRing(minimum: capacity)
    right = FloatRing(minimum: capacity)
  }

  /// Frames that fit.
  package var capacity: Int { left.capacity }
  /// Frames before this one are the reader's.
  package var claimed: Int { claimedFrames.load(ordering: .sequentiallyConsistent) }
  /// Frames before this one are ready.
  package var written: Int { writtenFrames.load(ordering: .sequentiallyConsistent) }
  /// Frames that may be written beyond `written` now.
  package var room: Int { capacity - max(0, written - claimed) }

  /// Takes the frames from `frame` on; writer only. Frames in between, if `frame` lies behind what is
  /// written, become silence; frames that are ready already are replaced.
  ///
  /// - Parameters:
  ///   - left: one sample per frame.
  ///   - right: as many.
  ///   - frame: absolute frame of the first sample.
  ///   - fade: frames to cross-fade from what was there before, where there was something; a late
  ///     rewrite fades over `lateFade` in any case.
  package func publish(
    _ left: Span<Float>, _ right: Span<Float>, at frame: Int, fade wantedFade: Int = 0
  ) -> Published {
    precondition(left.count == right.count, "channels of \(left.count) and \(right.count) frames")
    let before = written
    if frame < before { writtenFrames.store(frame, ordering: .sequentiallyConsistent) }
    let claim = claimed
    let late = min(max(0, claim - frame), left.count)
    let start = frame + late
    let count = left.count - late
    precondition(
      start + count - claim <= capacity, "\(count) frames at \(start) do not fit behind \(claim)")
    if start > max(before, claim) {
      let gap = max(before, claim)
      self.left.clear(at: gap, count: start - gap)
      self.right.clear(at: gap, count: start - gap)
    }
    if count > 0 {
      let wanted = late > 0 ? max(wantedFade, Self.lateFade) : wantedFade
      let fade = start < before ? min(wanted, count, before - start) : 0
      for index in 0..<fade {
        let share = (Float(index) + 0.5) / Float(fade)
        var l = self.left[start + index]
        var r = self.right[start + index]
        l += share * (left[late + index] - l)
        r += share * (right[late + index] - r)
        unsafe self.left.store(&l, at: start + index, count: 1)
        unsafe self.right.store(&r, at: start + index, count: 1)
      }
      unsafe left.withUnsafeBufferPointer { source in
        unsafe self.left.store(
          source.baseAddress! + late + fade, at: start + fade, count: count - fade)
      }
      unsafe right.withUnsafeBufferPointer { source in
        unsafe self.right.store(
          source.baseAddress! + late + fade, at: start + fade, count: count - fade)
      }
    }
    writtenFrames.store(max(start + count, frame), ordering: .sequentiallyConsistent)
    return Published(start: start, late: late)
  }

  /// Forgets the frames from `frame` on that are not claimed; writer only.
  package func truncate(to frame: Int) {
    let target = min(frame, written)
    writtenFrames.store(target, ordering: .sequentiallyConsistent)
  }

  /// Copies the `count` frames from `frame` on to `left` and `right`; reader only. Returns how many were
  /// ready; the rest of both targets is left as it is.
  @_noLocks func read(
    at frame: Int, count: Int, left: UnsafeMutablePointer<Float>,
    right: UnsafeMutablePointer<Float>
  ) -> Int {
    claimedFrames.store(frame &+ count, ordering: .sequentiallyConsistent)
    var ready = writtenFrames.load(ordering: .sequentiallyConsistent) &- frame
    if ready < 0 { ready = 0 }
    if ready > count { ready = count }
    unsafe self.left.copy(from: frame, count: ready, to: left)
    unsafe self.right.copy(from: frame, count: ready, to: right)
    return ready
  }

  /// How many of the `count` frames from `frame` on are ready, without claiming them; reader only.
  @_noLocks func ready(at frame: Int, count: Int) -> Bool {
    writtenFrames.load(ordering: .sequentiallyConsistent) >= frame &+ count
  }
}
