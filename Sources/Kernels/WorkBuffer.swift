// Floats that are overwritten again and again: the parts of a workspace, and states that live as long as a
// stream.
//
// The compiler cannot see that two parts of a workspace are different memory, so the parts are
// objects. One pass uses a workspace at a time; it belongs to one thread.

#if canImport(Glibc)
  import Glibc
#endif

/// A fixed number of floats, 64-byte aligned, initially zero, lent as spans.
///
/// Safe because spans lie inside memory that never moves and that lives as long as the object, which
/// the pass that borrows spans holds as its argument for longer than any of them; no pass stores one.
/// (The compiler does not see this: it ends a span's life with the reference it was read through. So the
/// buffer needs a name that outlives the span: never a span of a buffer that was only just made.)
/// Two spans over the same floats, one of them written, would give wrong numbers, never touch other
/// memory.
@safe package final class WorkBuffer: @unchecked Sendable {
  private let base: UnsafeMutablePointer<Float>
  /// How many floats.
  package let count: Int

  package init(count: Int) {
    precondition(count >= 0, "a buffer cannot have \(count) floats")
    unsafe base = allocateLines(bytes: count * MemoryLayout<Float>.stride)
      .bindMemory(to: Float.self, capacity: max(count, 1))
    self.count = count
  }

  deinit { unsafe free(base) }

  /// All floats, for reading.
  package var span: Span<Float> {
    @_lifetime(immortal) get {
      let whole = unsafe Span(_unsafeStart: base, count: count)
      return unsafe _overrideLifetime(whole, borrowing: ())
    }
  }

  /// The floats in `range`, for reading.
  @_lifetime(immortal) package func span(_ range: Range<Int>) -> Span<Float> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the buffer")
    let part = unsafe Span(_unsafeStart: base + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(part, borrowing: ())
  }

  /// All floats, for writing.
  package var mutableSpan: MutableSpan<Float> {
    @_lifetime(immortal) get {
      let whole = unsafe MutableSpan(_unsafeStart: base, count: count)
      return unsafe _overrideLifetime(whole, borrowing: ())
    }
  }

  /// The floats in `range`, for writing.
  @_lifetime(immortal) package func mutableSpan(_ range: Range<Int>) -> MutableSpan<Float> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the buffer")
    let part = unsafe MutableSpan(_unsafeStart: base + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(part, borrowing: ())
  }

  /// Sets every float to zero.
  package func clear() { unsafe memset(base, 0, bytes) }

  /// A copy as an array.
  package func array() -> [Float] {
    unsafe [Float](UnsafeBufferPointer(start: base, count: count))
  }

  /// Overwrites with `values`, of the same number.
  package func copy(from values: Span<Float>) {
    precondition(values.count == count, "\(values.count) floats into \(count)")
    unsafe values.withUnsafeBufferPointer { values in
      guard count > 0 else { return }
      unsafe memcpy(base, values.baseAddress!, count * MemoryLayout<Float>.stride)
    }
  }

  /// Bytes that `save` writes.
  package var bytes: Int { count * MemoryLayout<Float>.stride }

  /// Copies everything to `target`, which has room for `bytes`.
  @unsafe package func save(to target: UnsafeMutableRawPointer) {
    unsafe memcpy(target, base, bytes)
  }

  /// Overwrites everything with what `save` wrote.
  @unsafe package func restore(from source: UnsafeRawPointer) {
    unsafe memcpy(base, source, bytes)
  }
}
