// Everything that one attribution is asked to do: a value that can wait in the job store.

import Foundation
import Models

/// A request. Paths are absolute.
package struct AttributionRequest: Sendable, Codable, Equatable {
  /// The model's folder.
  package var model: String
  /// The catalogue's folder.
  package var catalogue: String
  /// For a diffusion model and a catalogue of codes: the MusicGen checkpoint whose codec and text encoder
  /// it was trained on.
  package var companion: String?
  /// A track's id, a take's folder, or a sound file.
  package var piece: String
  /// Whether `piece` is a track of the catalogue.
  package var isTrack = false
  /// The folder of the result.
  package var out: String
  package var unlearning = UnlearningSettings()
  /// Draws of the piece; its gradient is their mean.
  package var pieceDraws = 16
  /// Draws of each scored track.
  package var trackDraws = 2
  /// Length of a window in seconds.
  package var windowSeconds = 8.0
  /// Tracks that the Fisher information is taken over; fewer when the catalogue is smaller.
  package var fisherTracks = 100
  package var fisherDraws = 1
  /// Times of a diffusion model's draws, from and to, in 0 … 1; nil for all.
  package var times: [Double]?
  /// Scores to first order instead of by unlearning, and against how many other tracks (`Contrast`): 0 for the
  /// plain scores, nil for unlearning itself.
  package var against: Int?
  /// M_U: silent and padded frames of the piece are not unlearned.
  package var masksPiece = true
  /// M_L: silent and padded frames of tracks do not count in their loss.
  package var masksTracks = false
  /// Only the most similar tracks are scored; nil for all.
  package var candidates: Int?
  /// Part I of N of the scored tracks.
  package var shard: [Int]?
  /// Whether similarity methods are run beside it.
  package var compares = true
  /// Tracks scored side by side and saved together.
  package var batch = 8
  /// Threads; 0 for all processors.
  package var threads = 0
  /// A catalogue of tracks that were not trained on, whose loss shows the collateral damage.
  package var heldOut: String?

  /// Supplied embeddings, a similarity method of their own; nil for none.
  package var embeddings: String?
  /// Whether a language model hears each track with its tags as the text (true), or without any.
  package var hearsCaptions: Bool?
  /// What the piece was asked for, heard with it when captions are.
  package var text: String?
  /// Megabytes that a run may hold; nil for no limit. Activations are computed again to stay below.
  package var memory: Int?
  /// The port of the daemon on this machine that is told about progress; nil for the worker's default.
  package var replyPort: UInt16?

  package init(model: String, catalogue: String, piece: String, out: String) {
    self.model = model
    self.catalogue = catalogue
    self.piece = piece
    self.out = out
  }

  /// Checks what a person may have typed.
  /// - Throws: `AttributionError.badSetting`.
  package func check() throws {
    func need(_ isGood: Bool, _ name: String, _ value: String, _ expected: String) throws {
      guard isGood else {
        throw AttributionError.badSetting(name: name, value: value, expected: expected)
      }
    }
    let u = unlearning
    try need(u.rise > 0 && u.rise.isFinite, "--rise", "\(u.rise)", "a number above 0")
    try need(
      u.learningRate.map { $0 > 0 && $0.isFinite } ?? true, "--learning-rate",
      "\(u.learningRate ?? 0)", "a number above 0")
    try need(u.damping > 0 && u.damping.isFinite, "--damping", "\(u.damping)", "above 0")
    try need((1...1000).contains(u.steps), "--steps", "\(u.steps)", "1 to 1000")
    try need((1...65536).contains(pieceDraws), "--piece-draws", "\(pieceDraws)", "1 to 65536")
    try need((1...65536).contains(trackDraws), "--track-draws", "\(trackDraws)", "1 to 65536")
    try need(
      windowSeconds.isFinite && windowSeconds > 0.05 && windowSeconds <= 3600, "--window",
      "\(windowSeconds)", "0.1 to 3600 seconds")
    try need(fisherTracks > 0, "--fisher-tracks", "\(fisherTracks)", "at least 1")
    try need((1...65536).contains(fisherDraws), "--fisher-draws", "\(fisherDraws)", "1 to 65536")
    if let times {
      try need(
        times.count == 2 && 0 <= times[0] && times[0] <= times[1] && times[1] <= 1, "--times",
        times.map { "\($0)" }.joined(separator: "-"), "FROM-TO within 0 and 1")
    }
    if let against {
      try need(
        against == 0 || (Contrast.fewest...4096).contains(against), "--against", "\(against)",
        "0, or \(Contrast.fewest) to 4096")
      try need(
        u.method == .step && u.learningRate == nil && heldOut == nil, "--first-order", "on",
        "without --method iterated, --learning-rate and --held-out, which need unlearning itself")
    }
    try need(candidates.map { $0 > 0 } ?? true, "--candidates", "\(candidates ?? 0)", "at least 1")
    try need(memory.map { $0 > 0 } ?? true, "--memory", "\(memory ?? 0)", "at least 1")
    try need((1...4096).contains(batch), "--batch", "\(batch)", "1 to 4096")
    if let shard {
      try need(
        shard.count == 2 && shard[1] >= 1 && shard[1] <= 100_000
          && (1...shard[1]).contains(shard[0]),
        "--shard", shard.map(String.init).joined(separator: "/"), "I/N with I from 1 to N")
    }
  }

  /// How draws are taken.
  func plan(draws: Int, window: Int, masks: Bool = false) -> DrawPlan {
    DrawPlan(
      draws: draws, window: window, masks: masks,
      times: times.map { Float($0[0])...Float($0[1]) } ?? DrawPlan.allTimes)
  }

  /// Everything that a score depends on, as text; not batch, threads, shard and output.
  var description: [String: String] {
    let u = unlearning
    var named: [String: String] = [:]
    if hearsCaptions == true { named = ["captions": "on", "text of the piece": text ?? "none"] }
    if let against {
      named["scores"] = "first order" + (against > 0 ? ", against \(against) other tracks" : "")
    }
    if let times { named["times of noise"] = "\(times[0]) to \(times[1])" }
    return named.merging([
      "method": u.method.rawValue, "layers": u.layers.rawValue,
      "step": u.learningRate.map { "learning rate \($0)" }
        ?? "own loss rises by \(u.rise) of itself",
      "damping": "\(u.damping)", "steps": u.method == .iterated ? "\(u.steps)" : "1",
      "piece draws": "\(pieceDraws)", "track draws": "\(trackDraws)",
      "window seconds": "\(windowSeconds)", "fisher tracks": "\(fisherTracks)",
      "fisher draws": "\(fisherDraws)", "mask of the piece (M_U)": masksPiece ? "on" : "off",
      "mask of the tracks (M_L)": masksTracks ? "on" : "off",
      "candidates": candidates.map { "\($0)" } ?? "all",
    ]) { $1 }
  }
}
