// How fast this machine's memory can be read in order: what a step of the language model is held against.

internal import CKernels

/// Reads a large buffer with the threads of a pool, in chunks of 64 KB, as the products read weights.
package struct MemoryBandwidth {
  private let buffer: RawBuffer
  private static let chunk = 65536

  /// - Parameter megabytes: well beyond the last cache.
  package init(megabytes: Int = 512) {
    buffer = RawBuffer(bytes: megabytes << 20)
    for offset in stride(from: 0, to: buffer.bytes, by: 4096) {
      unsafe buffer.base.storeBytes(of: offset, toByteOffset: offset, as: Int.self)
    }
  }

  /// Bytes of one pass.
  package var bytes: Int { buffer.bytes }

  /// Reads the whole buffer once.
  package func read(pool: ComputePool) {
    pool.run(chunks: buffer.bytes / Self.chunk) { chunk in
      _ = unsafe continuo_read(buffer.base + chunk * Self.chunk, Self.chunk)
    }
  }
}
