// Ctrl-C during long work: noticed between steps, so that nothing half-written is left.

import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

private let interrupted = Atomic<Bool>(false)

/// Free and named, since a closure here would belong to an actor and die on another thread.
private func noteInterrupt(_ signal: Int32) { interrupted.store(true, ordering: .relaxed) }

/// While this value lives, SIGINT and SIGTERM are noted instead of ending the program.
final class InterruptWatch {
  init() {
    interrupted.store(false, ordering: .relaxed)
    signal(SIGINT, noteInterrupt)
    signal(SIGTERM, noteInterrupt)
  }

  deinit {
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
  }

  /// Whether somebody wants the program to stop.
  var isInterrupted: Bool { interrupted.load(ordering: .relaxed) }
}
