// The memory behind the buffers of this module, and which buffer is for what.
//
//   FloatBuffer     a value with one owner: the compiler sees that nobody writes what another reads
//   WorkBuffer      an object with floats that are read and written by turns: the parts of a workspace,
//                   the state of a stream
//   ConstantBuffer  an object that is filled once and then only read, by any thread: arranged weights
//   RawBuffer       untyped pages, large ones where the system has them: weights and caches of hundreds
//                   of megabytes, read in order
//
// The first three lie in memory from here; a RawBuffer maps its own.

#if canImport(Glibc)
  import Glibc
#endif

/// At least `bytes` zeros in whole cache lines of 64 bytes; whoever asks gives them back to `free`.
@unsafe func allocateLines(bytes: Int) -> UnsafeMutableRawPointer {
  let whole = max(64, (bytes + 63) / 64 * 64)
  var raw: UnsafeMutableRawPointer?
  guard unsafe posix_memalign(&raw, 64, whole) == 0, let raw = unsafe raw else {
    fatalError("out of memory: \(bytes) bytes")
  }
  unsafe memset(raw, 0, whole)
  return unsafe raw
}
