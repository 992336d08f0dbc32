// A few threads that share the chunks of one kernel call.
//
// Work is cut into chunks whose borders do not depend on the thread count, and every chunk is
// computed by one thread alone, so results are the same bit for bit with any number of threads.
// The threads themselves are in CKernels/pool.c, which says how work is handed over.

internal import CKernels
import Synchronization

/// Runs the chunks of a kernel on the calling thread and its helpers.
///
/// Threading: `run` is called from one thread at a time and not from inside a chunk; both are checked.
/// Helpers spin for about 0.2 ms after a run, so that the kernels of one step follow each other
/// without a system call, then sleep; they end with the pool. A run allocates nothing. Denormal
/// numbers count as zero inside chunks, on every thread.
///
/// Safe because the helpers' memory is private, made at the start and freed after they have ended.
@safe package final class ComputePool: @unchecked Sendable {
  /// Number of threads that compute, the caller included; at least 1.
  package let threads: Int
  private let handle: OpaquePointer
  private let busy = Atomic<Bool>(false)
  private var scratchMemory = RawBuffer(bytes: 0)

  /// Makes a pool of `threads` threads (the caller and `threads - 1` helpers; fewer when the system
  /// refuses more).
  ///
  /// - Parameter pinned: binds every helper to a processor of its own, counting from the second one
  ///   that the process may use.
  package init(threads: Int = 1, pinned: Bool = false) {
    precondition(threads >= 1, "a pool needs at least one thread")
    guard let pool = unsafe continuo_pool_create(Int32(min(threads, 256)), pinned ? 1 : 0) else {
      fatalError("out of memory for a thread pool")
    }
    unsafe handle = pool
    self.threads = unsafe Int(continuo_pool_threads(pool))
  }

  deinit { unsafe continuo_pool_destroy(handle) }

  /// Calls `body` once for each chunk in `0 ..< chunks`, possibly side by side, and returns when all
  /// are done. Chunks must write to separate places.
  package func run(chunks: Int, _ body: (Int) -> Void) {
    guard chunks > 0 else { return }
    precondition(chunks < 1 << 31, "\(chunks) chunks are too many")
    precondition(
      !busy.exchange(true, ordering: .acquiring), "a pool runs one kernel at a time, not nested")
    unsafe runChunks(handle, chunks, body)
    busy.store(false, ordering: .releasing)
  }

  /// Memory for a kernel's intermediate values, at least `bytes` of it, kept from run to run: nothing is
  /// allocated unless more is asked for than ever before. Of use only to the thread that calls `run`,
  /// and only until it asks again.
  func scratch(bytes: Int) -> UnsafeMutableRawPointer {
    if scratchMemory.bytes < bytes { scratchMemory = RawBuffer(bytes: max(bytes * 2, 1 << 16)) }
    return unsafe scratchMemory.base
  }

  /// Runs so far in which a helper computed something: shows that the helpers take part.
  package var helpedRuns: Int { unsafe Int(continuo_pool_helped(handle)) }
}

// A non-escaping closure arrives in C as a function and a context (the Swift calling convention).
@_silgen_name("continuo_pool_run")
private func runChunks(_ pool: OpaquePointer, _ chunks: Int, _ body: (Int) -> Void)
