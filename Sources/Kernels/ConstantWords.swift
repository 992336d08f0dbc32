// Sixteen-bit numbers that never change once made: weights stored compactly.

#if canImport(Glibc)
  import Glibc
#endif

/// Read-only 16-bit numbers shared by whoever computes with them, 64-byte aligned.
///
/// Safe because the memory is made, filled and freed here, never written after `init` and lent only
/// to the kernels of this module. Threading: any thread may read at any time.
@safe final class ConstantWords: @unchecked Sendable {
  private let memory: UnsafeMutablePointer<Int16>
  /// How many.
  let count: Int

  /// Makes `count` zeros and lets `fill` overwrite them.
  init(count: Int, _ fill: (inout MutableSpan<Int16>) -> Void) {
    self.count = count
    var raw: UnsafeMutableRawPointer?
    let bytes = max(64, (count * MemoryLayout<Int16>.stride + 63) / 64 * 64)
    guard unsafe posix_memalign(&raw, 64, bytes) == 0, let raw = unsafe raw else {
      fatalError("out of memory: \(bytes) bytes")
    }
    unsafe memset(raw, 0, bytes)
    unsafe memory = raw.bindMemory(to: Int16.self, capacity: max(count, 1))
    var span = unsafe MutableSpan(_unsafeStart: memory, count: count)
    fill(&span)
  }

  deinit { unsafe free(memory) }

  /// Where they lie, valid while this object lives.
  @unsafe var base: UnsafePointer<Int16> { unsafe UnsafePointer(memory) }
}
