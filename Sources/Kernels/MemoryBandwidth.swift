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

  /// Bytes per second of one pass over the buffer.
  package func measure(pool: ComputePool) -> Double {
    let clock = ContinuousClock()
    let time = clock.measure {
      pool.run(chunks: buffer.bytes / Self.chunk) { chunk in
        _ = unsafe continuo_read(buffer.base + chunk * Self.chunk, Self.chunk)
      }
    }
    let (seconds, attoseconds) = time.components
    return Double(buffer.bytes) / (Double(seconds) + Double(attoseconds) * 1e-18)
  }
}
