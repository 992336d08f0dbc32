// Numbers that never change once made: weights that were rearranged for a kernel.

#if canImport(Glibc)
  import Glibc
#endif

/// Read-only floats shared by whoever computes with them, 64-byte aligned.
///
/// Safe because the memory is made, filled and freed here, never written after `init`, and lent only
/// as spans bound to this object. Threading: any thread may read at any time.
@safe package final class ConstantFloats: @unchecked Sendable {
  private let memory: UnsafeMutablePointer<Float>
  /// How many floats.
  package let count: Int

  /// Copies `values`.
  package init(_ values: [Float]) {
    count = values.count
    var raw: UnsafeMutableRawPointer?
    let bytes = max(64, (count * MemoryLayout<Float>.stride + 63) / 64 * 64)
    guard unsafe posix_memalign(&raw, 64, bytes) == 0, let raw = unsafe raw else {
      fatalError("out of memory: \(bytes) bytes")
    }
    unsafe memory = raw.bindMemory(to: Float.self, capacity: max(count, 1))
    unsafe values.withUnsafeBufferPointer { source in
      guard let first = source.baseAddress else { return }
      unsafe memory.initialize(from: first, count: source.count)
    }
  }

  deinit { unsafe free(memory) }

  /// All of them.
  package var span: Span<Float> {
    @_lifetime(borrow self) get {
      let whole = unsafe Span(_unsafeStart: UnsafePointer(memory), count: count)
      return unsafe _overrideLifetime(whole, borrowing: self)
    }
  }

  /// Where they lie, valid while this object lives.
  @unsafe var base: UnsafePointer<Float> { unsafe UnsafePointer(memory) }
}
