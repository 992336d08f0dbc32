// SIGTERM and SIGINT: the worker ends at the next track and gives its job back.

import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

private let stopped = Atomic<Bool>(false)

/// Free and named: a closure here would belong to an actor and die on another thread.
private func noteStop(_ signal: Int32) { stopped.store(true, ordering: .relaxed) }

enum StopSignal {
  static func watch() {
    signal(SIGINT, noteStop)
    signal(SIGTERM, noteStop)
  }

  static var isSet: Bool { stopped.load(ordering: .relaxed) }
}
