// Attributions over OSC: a kept take is handed to the worker, whose progress and results are passed on to
// subscribers. What the job store is, the daemon's program knows, not the engine.

package import Foundation
import Logging
import Reporting

/// Where attributions are asked for. Called from a background thread.
package protocol CreditOffice: Sendable {
  /// Asks whom the take in `take` owes most to.
  /// - Parameter replyPort: the OSC port on this machine that the worker tells.
  /// - Returns: the job's number.
  func start(take: URL, replyPort: UInt16) throws -> String
  /// Ends a job that is not over.
  /// - Throws: `ControlError.noSuch` when there is none.
  func cancel(job: String) throws
}

/// What the worker says about a job that is over.
private struct CreditSummary: Decodable {
  struct Track: Decodable {
    var id: String
    var title: String
    var artist: String
  }
  var state: String
  var message: String?
  var take: String?
  var tracks: [Track]?

  /// One line for a player.
  var sentence: String {
    let name = take ?? "the take"
    guard let tracks, !tracks.isEmpty else { return "\(name): \(message ?? state)" }
    let owed = tracks.prefix(3).map { track in
      "“\(track.title.isEmpty ? track.id : track.title)”"
        + (track.artist.isEmpty ? "" : " by \(track.artist)")
    }
    return "\(name) owes most to \(owed.joined(separator: ", then "))"
  }
}

extension LiveHost {
  /// Asks for the attribution of a take; the sender is answered when the job is in the store.
  func startAttribution(ofTake name: String) throws {
    let name = try DataFolders.checked(name)
    let office = try presentOffice()
    guard !takesBeingWritten.contains(name) else {
      throw ControlError.notNow(what: "attribute \(name)", why: "it is still being written")
    }
    guard takeNames.contains(name) else { throw ControlError.noSuch(what: "take", name: name) }
    try checkRoom(clerk)
    let take = takesFolder.appendingPathComponent(name)
    let port = server.socket.port
    let asker = server.answerLater()
    clerk.run {
      try office.start(take: take, replyPort: port)
    } then: { [weak self] result in
      guard let self else { return }
      server.answer(asker, with: result.map { [.string($0)] })
      if case .success(let job) = result {
        log.info("job \(job): whom \(name) owes most to")
        jobsWaiting[job] = ContinuousClock.now + Self.patience
      }
    }
  }

  /// Ends a job; subscribers are told as if the worker had said it.
  func cancelAttribution(_ job: String) throws {
    let office = try presentOffice()
    try checkRoom(clerk)
    let asker = server.answerLater()
    clerk.run {
      try office.cancel(job: job)
    } then: { [weak self] result in
      guard let self else { return }
      server.answer(asker, with: result.map { [.string("ok")] })
      guard case .success = result else { return }
      jobsWaiting[job] = nil
      server.announce(
        OSCMessage("/attribution/result", [.string(job), .string("{\"state\":\"cancelled\"}")]))
    }
  }

  /// How long a job may wait before a player is told that nobody works on it.
  private static let patience = Duration.seconds(5)

  /// Says once of every job that no worker has begun it. Called in every turn of the loop.
  func lookAfterJobs() {
    guard !jobsWaiting.isEmpty else { return }
    let late = jobsWaiting.filter { $0.value <= ContinuousClock.now }.keys.sorted()
    for job in late {
      jobsWaiting[job] = nil
      say("job \(job) waits: start continuo-worker, unless it is at another job")
    }
  }

  private func presentOffice() throws -> any CreditOffice {
    guard let credits else {
      throw ControlError.failed(
        problem: "there is no job store here", remedy: "use continuo attribute on the take")
    }
    return credits
  }

  /// Passes on what a worker says over the daemon's own socket; only this machine is believed.
  /// - Returns: whether it was such a message.
  func passOn(_ message: OSCMessage, from sender: OSCPeer) -> Bool {
    guard sender.host == "127.0.0.1" else { return false }
    if message.path.hasPrefix("/attribution/"), let job = message.arguments.first?.text {
      jobsWaiting[job] = nil
    }
    switch (message.path, message.types) {
    case ("/attribution/progress", "sff"):
      server.announce(message)
    case ("/attribution/result", "ss"):
      server.announce(message)
      let json = Data((message.arguments[1].text ?? "").utf8)
      if let summary = try? JSONDecoder().decode(CreditSummary.self, from: json) {
        say(summary.sentence)
      }
    default: return false
    }
    return true
  }
}
