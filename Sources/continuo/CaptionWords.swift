// What the songs of a catalogue call their instruments, and captions made of those words.
//
// In: tags such as "rock, rock bass, rock organ, drums, 134 bpm, c major". Out: captions that name chosen groups of
// instruments and no other. Source: ours; the captions of training are Training/captions.py.

import Foundation

/// Words for the groups of a catalogue.
struct CaptionWords {
  /// Names of each group, sorted; the group's own name where no song names it.
  let words: [String: [String]]
  private let groups: [String]

  init(tracks: [ActivityCatalogue.Track], groups: [String]) {
    self.groups = groups
    var found = Dictionary(uniqueKeysWithValues: groups.map { ($0, Set<String>()) })
    for track in tracks {
      for tag in Self.tags(track) {
        if let group = Self.group(tag, track, groups) { found[group]?.insert(tag) }
      }
    }
    words = found.reduce(into: [:]) { $0[$1.key] = $1.value.isEmpty ? [$1.key] : $1.value.sorted() }
  }

  /// A caption that names the groups in `named`, and what the song's own tags say besides instruments.
  /// - Parameter random: chooses among words, and their order.
  func caption(
    _ track: ActivityCatalogue.Track, naming named: [String], random: inout SeededRandom
  ) -> String {
    var own: [String: String] = [:]
    var rest: [String] = []
    for tag in Self.tags(track) {
      if let group = Self.group(tag, track, groups) { own[group] = tag } else { rest.append(tag) }
    }
    let instruments = named.shuffled(using: &random).map { group in
      own[group] ?? words[group]?.randomElement(using: &random) ?? group
    }
    return (instruments + rest).joined(separator: ", ")
  }

  private static func tags(_ track: ActivityCatalogue.Track) -> [String] {
    (track.tags ?? []).flatMap { $0.split(separator: ",") }
      .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
  }

  /// The group that a tag names; nil for style, tempo and key.
  static func group(_ tag: String, _ track: ActivityCatalogue.Track, _ groups: [String])
    -> String?
  {
    if let found = groups.first(where: { tag == $0 || tag.hasSuffix(" " + $0) }) { return found }
    // Everything that is neither style nor tempo nor key is an instrument of the group "other".
    guard groups.contains("other"), let style = track.style, let key = track.key, tag != style,
      tag != key, !tag.hasSuffix(" bpm")
    else { return nil }
    return "other"
  }
}
