// Prompts for evaluations: stretches of held-out songs in which chosen instruments sound, or do not, with captions.
//
// In: catalogues with activity. Out: codes (T, K), one window of every song before second windows.

import Foundation
import Models

/// Material for prompts: songs whose activity is known.
struct PromptSongs {
  let catalogues: [ActivityCatalogue]
  let codebooks: Int
  /// Length of a prompt in steps.
  let frames: Int
  /// Share of a prompt in which each target sounds at least, when it is to sound.
  var leastShare = 0.0

  struct Prompt {
    var track: String
    var codes: [Int32]
    /// What the captions of training would say of these seconds, but for the targets; and the same with the targets.
    var caption: (without: String, with: String)
  }

  /// Share of a stretch in which a group sounds, to be named by its caption (Training/windows.py).
  static let namedShare = 0.08

  /// One prompt per song in which the targets all sound, or none of them does.
  ///
  /// Songs alternate between validation and examination by their place among the held-out ones.
  func prompts(targets: [String], present: Bool, isValidation: Bool, count: Int) throws -> [Prompt]
  {
    var found: [Prompt] = []
    func held(_ catalogue: ActivityCatalogue) -> [ActivityCatalogue.Track] {
      catalogue.tracks.filter { $0.split == "test" || $0.split == "validation" }
    }
    // Songs that taught the model examine nothing, unless there are no others.
    let areHeld = catalogues.contains { !held($0).isEmpty }
    for catalogue in catalogues {
      let words = CaptionWords(tracks: catalogue.tracks, groups: catalogue.groups)
      let songs = areHeld ? held(catalogue) : catalogue.tracks
      for (index, track) in songs.enumerated() where (index % 4 == 3) == isValidation {
        let codes = try catalogue.codes(track, codebooks: codebooks)
        let total = codes.count / codebooks
        let starts = targets.map { target -> Set<Int> in
          let windows = ActivityCatalogue.windows(track, target, total: total, frames: frames)
          return Set(present ? windows.with : windows.without)
        }
        guard let first = starts.first else { continue }
        let common = starts.dropFirst().reduce(first) { $0.intersection($1) }
        // Something else must sound: silence says nothing about the song.
        let usable = common.sorted().filter { start in
          func share(_ group: String) -> Double {
            ActivityCatalogue.share(track, group, start..<start + frames)
          }
          return catalogue.groups.contains { group in
            (present || !targets.contains(group)) && share(group) > 0.5
          } && (!present || targets.allSatisfy { share($0) >= leastShare })
        }
        for start in evenly(usable, 2) {
          let range = start * codebooks..<(start + frames) * codebooks
          let others = catalogue.groups.filter { group in
            !targets.contains(group)
              && ActivityCatalogue.share(track, group, start..<start + frames) > Self.namedShare
          }
          func caption(_ groups: [String]) -> String {
            // The same words and order for the same window, whatever else is asked.
            var random = SeededRandom(seed: UInt64(index) &* 4096 &+ UInt64(start))
            return words.caption(track, naming: groups, random: &random)
          }
          found.append(
            Prompt(
              track: track.id, codes: Array(codes[range]),
              caption: (caption(others), caption(others + targets))))
        }
      }
    }
    // One window of every song before second windows.
    var seen: [String: Int] = [:]
    let ranked = found.map { prompt -> (Int, Prompt) in
      seen[prompt.track, default: 0] += 1
      return (seen[prompt.track] ?? 0, prompt)
    }
    let sorted = ranked.enumerated().sorted {
      ($0.element.0, $0.offset) < ($1.element.0, $1.offset)
    }
    guard !sorted.isEmpty else {
      throw ProbeMaterialError.tooLittle(
        what: "prompts \(present ? "with" : "without") \(targets.joined(separator: ", "))",
        found: 0, needed: 1)
    }
    return (0..<count).map { sorted[$0 % sorted.count].element.1 }
  }
}
