// Puts attributions of kept takes into the job store of continuo-worker.

import Attribution
import Engine
import Foundation
import Reporting

/// The daemon's way to the job store.
struct AttributionDesk: CreditOffice {
  /// The folder of the model that plays.
  let model: URL
  /// The folder of the catalogue that it was trained on.
  let catalogue: URL

  /// Adds a job whose report goes into the take's folder, under `attribution`.
  /// - Throws: `ControlError.failed` when there is no catalogue, `AttributionError` when it is none, or of
  ///   the store.
  func start(take: URL, replyPort: UInt16) throws -> String {
    guard FileManager.default.fileExists(atPath: catalogue.path) else {
      throw ControlError.failed(
        problem: "there is no catalogue at \(catalogue.path)",
        remedy: "build it there with continuo catalogue build, or start continuod with --catalogue")
    }
    _ = try Catalogue(folder: catalogue)
    var request = AttributionRequest(
      model: absolute(model), catalogue: absolute(catalogue), piece: absolute(take),
      out: absolute(take.appendingPathComponent("attribution")))
    request.replyPort = replyPort
    try request.check()
    let store = try JobStore(file: AttributionPlaces.store())
    return "\(try store.add(request: try JSONEncoder().encode(request)))"
  }

  func cancel(job: String) throws {
    guard let number = Int64(job) else {
      throw ControlError.noSuch(what: "job", name: printable(job))
    }
    do {
      let store = try JobStore(file: AttributionPlaces.store())
      try store.cancel(number)
      guard let state = try store.job(number)?.state, state == .cancelled else {
        throw ControlError.notNow(what: "cancel job \(job)", why: "it is over")
      }
    } catch AttributionError.noJob {
      throw ControlError.noSuch(what: "job", name: printable(job))
    }
  }

  private func absolute(_ url: URL) -> String { url.standardizedFileURL.path }
}
