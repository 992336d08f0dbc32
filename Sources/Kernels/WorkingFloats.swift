// Floats that are overwritten again and again: scratch space, and states that live as long as a stream.

#if canImport(Glibc)
  import Glibc
#endif

/// A fixed number of floats that a class can hold and lend in parts.
///
/// Threading: used by one thread at a time.
/// Safe because the memory is made and freed here, ranges are checked, and it is lent only as spans
/// bound to this object; whoever holds it never lends a part for writing that is lent already.
@safe package final class WorkingFloats {
  private let memory: UnsafeMutablePointer<Float>
  /// How many floats.
  package let count: Int

  /// Makes `count` zeros.
  package init(count: Int) {
    let bytes = max(64, (count * MemoryLayout<Float>.stride + 63) / 64 * 64)
    var raw: UnsafeMutableRawPointer?
    guard unsafe posix_memalign(&raw, 64, bytes) == 0, let raw = unsafe raw else {
      fatalError("out of memory: \(bytes) bytes")
    }
    unsafe memset(raw, 0, bytes)
    unsafe memory = raw.bindMemory(to: Float.self, capacity: max(count, 1))
    self.count = count
  }

  deinit { unsafe free(memory) }

  /// The floats in `range`, for reading.
  @_lifetime(borrow self)
  package func span(_ range: Range<Int>) -> Span<Float> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the floats")
    let part = unsafe Span(
      _unsafeStart: UnsafePointer(memory + range.lowerBound), count: range.count)
    return unsafe _overrideLifetime(part, borrowing: self)
  }

  /// The floats in `range`, for writing.
  @_lifetime(borrow self)
  package func mutableSpan(_ range: Range<Int>) -> MutableSpan<Float> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the floats")
    let part = unsafe MutableSpan(_unsafeStart: memory + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(part, borrowing: self)
  }

  /// All of them, for writing.
  @_lifetime(borrow self)
  package func mutableSpan() -> MutableSpan<Float> { mutableSpan(0..<count) }

  /// Sets every float to zero.
  package func clear() { unsafe memset(memory, 0, count * MemoryLayout<Float>.stride) }

  /// Copies everything to `target`, which has room for it.
  @unsafe package func save(to target: UnsafeMutableRawPointer) {
    unsafe memcpy(target, memory, count * MemoryLayout<Float>.stride)
  }

  /// Overwrites everything with what `save` wrote.
  @unsafe package func restore(from source: UnsafeRawPointer) {
    unsafe memcpy(memory, source, count * MemoryLayout<Float>.stride)
  }
}
