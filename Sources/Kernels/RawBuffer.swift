// Untyped memory for weights and caches: zeroed, page-aligned, in huge pages where the system has them.
//
// A product reads hundreds of megabytes in order; with pages of 2 MB instead of 4 KB the processor
// looks up fewer addresses and its prefetcher is not stopped at every page, which was worth 20 to 40 %
// of the read bandwidth where it was measured.

#if canImport(Glibc)
  import Glibc
#endif

/// Memory of a fixed size that lives as long as the object. Pages cost nothing until they are touched.
///
/// Safe because the mapping is made and removed here and `bytes` never changes; what is written where
/// is the business of the kernel that asked for the memory, before it shares it.
@safe package final class RawBuffer: @unchecked Sendable {
  /// The first byte, at least 64-byte aligned.
  package let base: UnsafeMutableRawPointer
  /// How many bytes.
  package let bytes: Int

  /// Maps `bytes` zeros.
  /// - Parameter largePages: asks for pages of 2 MB where the buffer is large enough for them.
  package init(bytes: Int, largePages: Bool = true) {
    precondition(bytes >= 0, "a buffer cannot have \(bytes) bytes")
    self.bytes = bytes
    let mapped = unsafe mmap(
      nil, max(bytes, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory = unsafe mapped, unsafe memory != MAP_FAILED else {
      fatalError("out of memory: \(bytes) bytes")
    }
    unsafe base = memory
    #if os(Linux)
      if largePages, bytes >= 4 << 20 { _ = unsafe madvise(memory, bytes, MADV_HUGEPAGE) }
    #endif
  }

  deinit { unsafe munmap(base, max(bytes, 1)) }
}
