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

  /// Makes `count` zeros and lets `fill` overwrite them.
  package init(count: Int, _ fill: (inout MutableSpan<Float>) -> Void) {
    self.count = count
    var raw: UnsafeMutableRawPointer?
    let bytes = max(64, (count * MemoryLayout<Float>.stride + 63) / 64 * 64)
    guard unsafe posix_memalign(&raw, 64, bytes) == 0, let raw = unsafe raw else {
      fatalError("out of memory: \(bytes) bytes")
    }
    unsafe memset(raw, 0, bytes)
    unsafe memory = raw.bindMemory(to: Float.self, capacity: max(count, 1))
    var span = unsafe MutableSpan(_unsafeStart: memory, count: count)
    fill(&span)
  }

  /// Copies `values`.
  package convenience init(_ values: [Float]) {
    self.init(count: values.count) { span in
      for index in values.indices { span[index] = values[index] }
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
