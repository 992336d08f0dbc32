// Slow work for the daemon: bundles, prompts, texts, takes. One background queue; the results are handed
// to the control thread, which takes them in at its next turn.

import Foundation

/// Runs jobs behind the daemon's back and brings their results home.
///
/// Threading: `run` and `deliver` belong to one thread, and so do the closures that take the results;
/// only jobs and their results, which are `Sendable`, travel.
package final class Loader {
  private let queue = DispatchQueue(label: "continuo.loader")
  private let done = Mailbox<(id: Int, result: any Sendable)>()
  private var waiting: [Int: (any Sendable) -> Void] = [:]
  private var next = 0

  package init() {}

  /// Whether a job runs or waits.
  package var isBusy: Bool { !waiting.isEmpty }

  /// Runs `job` in the background, then `finish` when `deliver` is called next.
  package func run<Product: Sendable>(
    _ job: @escaping @Sendable () throws -> Product,
    then finish: @escaping (Result<Product, any Error>) -> Void
  ) {
    next += 1
    let id = next
    waiting[id] = { result in
      if let result = result as? Result<Product, any Error> { finish(result) }
    }
    queue.async { [done] in done.post((id, Result { try job() })) }
  }

  /// Hands over what is done.
  package func deliver() {
    for (id, result) in done.take() { waiting.removeValue(forKey: id)?(result) }
  }

  /// Waits until everything that was asked for is done. For the end of the program and for tests.
  package func drain() { queue.sync {} }
}
