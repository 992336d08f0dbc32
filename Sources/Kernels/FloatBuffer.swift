// Float storage of fixed size that one value owns, as the networks' states do.
//
// Aligned to a cache line, zeroed at the start, never resized, never copied implicitly. Reading and
// writing go through spans, which cannot outlive the buffer.

#if canImport(Glibc)
  import Glibc
#endif

/// A fixed number of floats, 64-byte aligned, initially zero.
///
/// Safe because the pointer is private, made and freed here, and only lent as spans whose lifetime
/// is bound to the buffer.
@safe package struct FloatBuffer: ~Copyable, @unchecked Sendable {
  private let base: UnsafeMutablePointer<Float>
  /// How many floats.
  package let count: Int

  /// Makes `count` zeros.
  package init(count: Int) {
    precondition(count >= 0, "a buffer cannot have \(count) floats")
    unsafe base = allocateLines(bytes: count * MemoryLayout<Float>.stride)
      .bindMemory(to: Float.self, capacity: max(count, 1))
    self.count = count
  }

  /// Makes a copy of `values`.
  package init(_ values: [Float]) {
    self.init(count: values.count)
    var target = mutableSpan
    for index in values.indices { target[index] = values[index] }
  }

  deinit { unsafe free(base) }

  /// Where the floats lie, valid as long as the buffer lives.
  @unsafe package var baseAddress: UnsafeMutablePointer<Float> { unsafe base }

  /// All floats, for reading.
  package var span: Span<Float> {
    @_lifetime(borrow self) borrowing get {
      let whole = unsafe Span(_unsafeStart: base, count: count)
      return unsafe _overrideLifetime(whole, borrowing: self)
    }
  }

  /// All floats, for writing.
  package var mutableSpan: MutableSpan<Float> {
    @_lifetime(&self) mutating get {
      let whole = unsafe MutableSpan(_unsafeStart: base, count: count)
      return unsafe _overrideLifetime(whole, mutating: &self)
    }
  }

  /// The floats in `range`, for reading.
  @_lifetime(borrow self) package borrowing func span(_ range: Range<Int>) -> Span<Float> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the buffer")
    let part = unsafe Span(_unsafeStart: base + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(part, borrowing: self)
  }

  /// The floats in `range`, for writing.
  @_lifetime(&self) package mutating func mutableSpan(_ range: Range<Int>) -> MutableSpan<Float> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the buffer")
    let part = unsafe MutableSpan(_unsafeStart: base + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(part, mutating: &self)
  }

  /// The floats in `range`, for reading, when the compiler cannot see how long the buffer lives: it is
  /// a member of an object. The caller vouches that the object outlives every use of the span.
  @unsafe @_lifetime(immortal) package borrowing func heldSpan(_ range: Range<Int>) -> Span<Float> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the buffer")
    let part = unsafe Span(_unsafeStart: base + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(part, borrowing: ())
  }

  /// The same for writing. The caller also vouches that no other span of these floats is in use.
  @unsafe @_lifetime(immortal) package borrowing func heldMutableSpan(
    _ range: Range<Int>
  ) -> MutableSpan<Float> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the buffer")
    let part = unsafe MutableSpan(_unsafeStart: base + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(part, borrowing: ())
  }

  /// Sets every float to zero.
  package mutating func clear() {
    unsafe memset(base, 0, count * MemoryLayout<Float>.stride)
  }

  /// A copy as an array, for tests and files.
  package borrowing func array() -> [Float] {
    unsafe [Float](UnsafeBufferPointer(start: base, count: count))
  }

  /// A second buffer with the same floats.
  package borrowing func copy() -> FloatBuffer {
    let other = FloatBuffer(count: count)
    unsafe memcpy(other.base, base, count * MemoryLayout<Float>.stride)
    return other
  }

  /// Overwrites with the floats of `other`, which has the same size.
  package mutating func copy(from other: borrowing FloatBuffer) {
    precondition(other.count == count, "buffers of \(count) and \(other.count) floats")
    unsafe memcpy(base, other.base, count * MemoryLayout<Float>.stride)
  }
}
