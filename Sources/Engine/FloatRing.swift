// Memory of one audio channel, addressed by absolute frame: frame f lies at f mod capacity.
//
// It is only memory. Who may read or write which frames, and when, is the business of `InputRing` and
// `OutputRing`, which own the atomic indices.

internal import CJACK

#if canImport(Glibc)
  import Glibc
#endif

/// A power-of-two number of floats that wraps around.
///
/// Safe because the pointer is private, every index is masked by the capacity, and the two rings that
/// use it keep reader and writer on different frames by their atomic indices.
@safe struct FloatRing: ~Copyable, @unchecked Sendable {
  private let base: UnsafeMutablePointer<Float>
  /// Frames that fit; a power of two.
  let capacity: Int

  /// Makes a silent ring of at least `minimum` frames and tries to keep it in memory.
  init(minimum: Int) {
    var size = 1024
    while size < minimum { size *= 2 }
    capacity = size
    unsafe base = .allocate(capacity: size)
    unsafe base.initialize(repeating: 0, count: size)
    // A refusal does no harm: the pages were just touched and are used all the time.
    _ = unsafe mlock(base, size * MemoryLayout<Float>.stride)
  }

  deinit { unsafe base.deallocate() }

  /// Copies `count` frames from `frame` on to `target`.
  @_noLocks func copy(from frame: Int, count: Int, to target: UnsafeMutablePointer<Float>) {
    guard count > 0, count <= capacity else { return }
    let start = frame & (capacity &- 1)
    var first = capacity &- start
    if first > count { first = count }
    unsafe continuo_realtime_copy(target, base + start, first)
    unsafe continuo_realtime_copy(target + first, base, count &- first)
  }

  /// Stores `count` frames of `source` from `frame` on.
  @_noLocks func store(_ source: UnsafePointer<Float>, at frame: Int, count: Int) {
    guard count > 0, count <= capacity else { return }
    let start = frame & (capacity &- 1)
    var first = capacity &- start
    if first > count { first = count }
    unsafe continuo_realtime_copy(base + start, source, first)
    unsafe continuo_realtime_copy(base, source + first, count &- first)
  }

  /// Silences `count` frames from `frame` on.
  @_noLocks func clear(at frame: Int, count: Int) {
    guard count > 0, count <= capacity else { return }
    let start = frame & (capacity &- 1)
    var first = capacity &- start
    if first > count { first = count }
    unsafe continuo_realtime_zero(base + start, first)
    unsafe continuo_realtime_zero(base, count &- first)
  }

  /// The frame at `frame`, for the writer's own cross-fades.
  subscript(frame: Int) -> Float { unsafe base[frame & (capacity - 1)] }
}
