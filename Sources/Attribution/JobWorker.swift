// What a worker does with the jobs of a store: takes one, runs it, keeps its lease, writes the report.

package import Foundation
import Reporting

/// Works on the jobs of one store. Several workers may share a store.
package final class JobWorker {
  private let store: JobStore
  private let cache: URL
  private let owner: String
  private let attempts: Int
  private let shouldStop: () -> Bool
  private let note: (Job, AttributionProgress) -> Void

  /// - Parameters:
  ///   - owner: a name that no other worker has.
  ///   - attempts: ends of workers without a word after which a job is given up.
  ///   - shouldStop: asked often; true ends the work at the next piece and gives the job back.
  ///   - note: told about progress, for subscribers.
  package init(
    store: JobStore, cache: URL, owner: String, attempts: Int = JobStore.attempts,
    shouldStop: @escaping () -> Bool,
    note: @escaping (Job, AttributionProgress) -> Void
  ) {
    self.store = store
    self.cache = cache
    self.owner = owner
    self.attempts = attempts
    self.shouldStop = shouldStop
    self.note = note
  }

  /// Takes and runs one job, or gives one up that ended its workers too often.
  /// - Returns: the job as it is now, or nil when none was waiting.
  /// - Throws: `AttributionError` of the store; a job's own failure is kept with the job.
  package func runOne() throws -> Job? {
    if let lost = try store.giveUp(after: attempts) { return lost }
    guard let job = try store.take(owner: owner) else { return nil }
    var lastNote = ContinuousClock.now - .seconds(10)
    do {
      let request = try JSONDecoder().decode(AttributionRequest.self, from: job.request)
      let run = AttributionRun(request, store: store, cache: cache) { [self] progress in
        if shouldStop() { throw Stopped() }
        let now = ContinuousClock.now
        guard now - lastNote > .milliseconds(200) else { return }
        lastNote = now
        try store.renew(
          job.id, owner: owner, progress: progress.share, message: progress.message,
          secondsLeft: progress.secondsLeft)
        note(job, progress)
      }
      let rankings = try run.run()
      try RankingReport(rankings).write(to: URL(fileURLWithPath: request.out))
      try store.finish(job.id, owner: owner, state: .done, message: "done", result: request.out)
    } catch is Stopped {
      try store.giveBack(job.id, owner: owner)
    } catch AttributionError.cancelled {
      // Cancelled, or another worker has it: nothing of ours is left to say.
    } catch {
      try store.finish(
        job.id, owner: owner, state: .failed, message: explanation(of: error), result: nil)
    }
    return try store.job(job.id)
  }

  private struct Stopped: Error {}
}
