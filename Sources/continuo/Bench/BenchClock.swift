// What the time of a benchmark is: the clock's, or on a busy machine the processor's.

import Foundation
import Kernels

#if canImport(Glibc)
  import Glibc
#endif

/// Measures how long something takes.
struct BenchClock {
  /// Counts the time that the process computed, instead of the time that passed: other programs
  /// then disturb less. Of sense with one thread only.
  var countsProcessorTime = false

  func seconds(_ body: () -> Void) -> Double {
    let start = now()
    body()
    return now() - start
  }

  /// Bytes per second of one pass over a large buffer.
  func bandwidth(of memory: MemoryBandwidth, pool: ComputePool) -> Double {
    Double(memory.bytes) / seconds { memory.read(pool: pool) }
  }

  private func now() -> Double {
    // POSIX: a million per second, whatever the resolution.
    if countsProcessorTime { return Double(clock()) / 1e6 }
    return ProcessInfo.processInfo.systemUptime
  }
}
