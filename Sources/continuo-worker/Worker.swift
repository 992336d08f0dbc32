// `continuo-worker`: attribution jobs, one after the other, at idle priority. Its life:
// give way, open the store, take a job, run it, tell who asked, wait for the next.

import ArgumentParser
import Attribution
import Foundation
import Kernels
import Reporting

#if canImport(Glibc)
  import Glibc
#endif

@main
struct Worker: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "continuo-worker",
    abstract: "Works on attribution jobs; never disturbs the audio.",
    discussion: """
      Jobs come from continuo attribute --queue and from the daemon's /attribution/start. A worker that is \
      killed loses nothing: it, or another one, goes on at the next track. A job whose workers end without a \
      word three times at the same place is given up.

      Examples:
        continuo-worker            work until told to stop
        continuo-worker --once     work on what is waiting, then end
      """,
    version: "0.1.0")

  @Flag(help: "End when no job is waiting.") var once = false
  @Option(help: "The job store; default: the user's own.") var store: String?
  @Option(help: "The folder of cached Fisher informations; default: the user's own.")
  var cache: String?
  @Option(
    name: .customLong("osc-port"),
    help: "The port that is told about jobs which name none; 0 for none.")
  var oscPort: UInt16 = 9770

  @Option(help: "Ends without a word after which a job is given up, at least 1.")
  var attempts = JobStore.attempts

  func validate() throws {
    guard attempts >= 1 else { throw ValidationError("--attempts must be at least 1") }
  }

  static func main() {
    OpenBLASCore.restartIfSlow()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as any Explained {
      FileHandle.standardError.write(
        Data("continuo-worker: error: \(explanation(of: error))\n".utf8))
      Foundation.exit(error.kind.rawValue)
    } catch { exit(withError: error) }
  }

  mutating func run() throws {
    IdlePriority.take()
    StopSignal.watch()
    let jobs = try JobStore(
      file: store.map { URL(fileURLWithPath: $0) } ?? AttributionPlaces.store())
    let sender = ProgressSender()
    let usual = oscPort
    func port(of job: Job) -> UInt16 { job.asked?.replyPort ?? usual }
    let worker = JobWorker(
      store: jobs,
      cache: cache.map { URL(fileURLWithPath: $0) } ?? AttributionPlaces.cache(),
      owner: WorkerIdentity.make(), attempts: attempts,
      shouldStop: { StopSignal.isSet },
      note: { job, progress in
        sender.progress(
          job: job.id, share: progress.share, secondsLeft: progress.secondsLeft, to: port(of: job))
      })
    while !StopSignal.isSet {
      if let job = try worker.runOne() {
        print("job \(job.id): \(job.state.rawValue), \(printable(job.message))")
        if job.state == .done || job.state == .failed {
          sender.result(job: job.id, json: Self.summary(of: job), to: port(of: job))
        }
      } else if once {
        return
      } else {
        usleep(500_000)
      }
    }
  }

  /// How it ended, and the first five tracks: small enough for a datagram.
  private static func summary(of job: Job) -> String {
    var summary: [String: Any] = ["state": job.state.rawValue, "message": job.message]
    if let piece = job.asked?.piece {
      summary["take"] = URL(fileURLWithPath: piece).lastPathComponent
    }
    if let folder = job.result, let ranking = try? Ranking(folder: URL(fileURLWithPath: folder)) {
      summary["kind"] = ranking.kind
      summary["report"] = folder
      summary["tracks"] = ranking.tracks.prefix(5).enumerated().map { place, entry in
        [
          "rank": place + 1, "id": entry.track.id, "title": entry.track.title,
          "artist": entry.track.artist, "licence": entry.track.licence, "score": entry.score,
        ] as [String: Any]
      }
    }
    let data = try? JSONSerialization.data(
      withJSONObject: summary, options: [.sortedKeys, .withoutEscapingSlashes])
    return data.map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}
