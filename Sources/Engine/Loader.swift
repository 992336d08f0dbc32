// Slow work for the daemon: bundles, prompts, texts, states, takes. One background queue; the results are
// handed to the control thread, which takes them in at its next turn.

import Foundation
import Synchronization

/// Runs jobs behind the daemon's back and brings their results home, one after another.
///
/// A job may have a name: while one of that name waits, a newer one takes its place, and nobody hears of the
/// older. So a knob that is moved a thousand times costs what its last position costs.
///
/// Threading: `run` and `deliver` belong to one thread, and so do the closures that take the results;
/// only jobs and their results, which are `Sendable`, travel.
package final class Loader {
  /// Jobs that may wait before callers ought to refuse more; see `isFull`.
  package static let limit = 64

  private struct Job: Sendable {
    let id: Int
    let name: String?
    let work: @Sendable () -> any Sendable
  }

  /// What waits, oldest first.
  private final class Backlog: Sendable {
    private let jobs = Mutex<[Job]>([])

    /// Adds a job; returns the one that it replaces.
    func add(_ job: Job) -> Int? {
      jobs.withLock { jobs in
        if job.name != nil, let place = jobs.firstIndex(where: { $0.name == job.name }) {
          defer { jobs[place] = job }
          return jobs[place].id
        }
        jobs.append(job)
        return nil
      }
    }

    func next() -> Job? { jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
  }

  private let queue = DispatchQueue(label: "continuo.loader")
  private let backlog = Backlog()
  private let done = Mailbox<(id: Int, result: any Sendable)>()
  private var waiting: [Int: (any Sendable) -> Void] = [:]
  private var last = 0

  package init() {}

  /// Whether a job runs or waits.
  package var isBusy: Bool { !waiting.isEmpty }

  /// Whether so much waits that more should be refused.
  package var isFull: Bool { waiting.count >= Self.limit }

  /// Runs `job` in the background, then `finish` when `deliver` is called next.
  /// - Parameter name: what the job is about, when only the newest of its kind counts.
  package func run<Product: Sendable>(
    _ name: String? = nil, _ job: @escaping @Sendable () throws -> Product,
    then finish: @escaping (Result<Product, any Error>) -> Void
  ) {
    last += 1
    waiting[last] = { result in
      if let result = result as? Result<Product, any Error> { finish(result) }
    }
    if let replaced = backlog.add(Job(id: last, name: name) { Result { try job() } }) {
      waiting[replaced] = nil
    } else {
      queue.async { [backlog, done] in
        if let job = backlog.next() { done.post((job.id, job.work())) }
      }
    }
  }

  /// Hands over what is done.
  package func deliver() {
    for (id, result) in done.take() { waiting.removeValue(forKey: id)?(result) }
  }

  /// Waits until everything that was asked for is done. For the end of the program and for tests.
  package func drain() { queue.sync {} }
}
