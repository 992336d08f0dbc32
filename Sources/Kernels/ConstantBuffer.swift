// Numbers that never change once made: weights that were rearranged for a kernel, in floats or in 16 bits.

#if canImport(Glibc)
  import Glibc
#endif

/// Read-only numbers shared by whoever computes with them, 64-byte aligned.
///
/// Safe because the memory is made, filled and freed here, never written after `init`, and lent only
/// as spans bound to this object, or to the kernels of this module. Threading: any thread may read at
/// any time.
@safe package final class ConstantBuffer<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  private let memory: UnsafeMutablePointer<Element>
  /// How many numbers.
  package let count: Int

  /// Makes `count` zeros and lets `fill` overwrite them.
  package init(count: Int, _ fill: (inout MutableSpan<Element>) -> Void) {
    precondition(count >= 0, "a buffer cannot have \(count) numbers")
    self.count = count
    unsafe memory = allocateLines(bytes: count * MemoryLayout<Element>.stride)
      .bindMemory(to: Element.self, capacity: max(count, 1))
    var span = unsafe MutableSpan(_unsafeStart: memory, count: count)
    fill(&span)
  }

  /// Copies `values`.
  package convenience init(_ values: [Element]) {
    self.init(count: values.count) { span in
      unsafe span.withUnsafeMutableBufferPointer { unsafe _ = $0.update(from: values) }
    }
  }

  deinit { unsafe free(memory) }

  /// All of them.
  package var span: Span<Element> {
    @_lifetime(borrow self) get {
      let whole = unsafe Span(_unsafeStart: UnsafePointer(memory), count: count)
      return unsafe _overrideLifetime(whole, borrowing: self)
    }
  }

  /// Where they lie, valid while this object lives.
  @unsafe var base: UnsafePointer<Element> { unsafe UnsafePointer(memory) }
}
