// A piece's scores judged against those of other pieces on the same tracks.
//
// The few draws of a track make its loss rise or fall a little with whatever is unlearned: that stands in all its
// scores alike and says nothing about the piece. So other pieces are asked the same (the panel), which costs no more
// gradients of tracks, and a score is told in deviations above what the panel has on the track:
//
//   c_i = (s_i / |s| − mean_p s_pi / |s_p|) / d_i,   |s| = root mean square over the tracks that are not the piece's own song
//
// To take the mean away is to take the panel's mean gradient from the piece's: what raises everybody's loss does not
// count. The deviation of few pieces is uncertain and is drawn towards the median of all tracks': d² = (n·v + 4·median v) / (n + 4).
// A piece of the panel that is the track itself, or another version of its song, is left out on it: it would hide it.
// Source: ours; the deviation after Smyth 2004 (moderated t-statistics), with a fixed prior weight.

/// Judges scores against a panel's.
package enum Contrast {
  /// Pieces of a panel below which nothing is said about what is usual.
  package static let fewest = 8
  /// Pieces of a panel where nobody says how many (Study/README.md has the figures).
  package static let usual = 24
  /// What the median variance of all tracks weighs, in pieces.
  private static let prior = 4.0

  /// One piece's scores.
  struct Row {
    /// The song that the piece is a version of, or a name of its own.
    var song: String
    /// One for each track.
    var scores: [Double]
  }

  /// The scores of `own` in deviations above those of the panel, one for each track; 0 where nothing can be said.
  ///
  /// - Parameters:
  ///   - panel: other pieces on the same tracks.
  ///   - songs: of each track, the song that it is a version of.
  static func deviations(of own: Row, above panel: [Row], songs: [String]) -> [Double] {
    let versions = Dictionary(grouping: songs.indices) { songs[$0] }
    let piece = scaled(own, versions)
    var columns = songs.map { _ in [Double]() }
    for row in panel {
      let values = scaled(row, versions)
      let left = Set(versions[row.song] ?? [])
      for place in songs.indices where !left.contains(place) {
        columns[place].append(values[place])
      }
    }
    let known = columns.map(moments)
    let spreads = zip(columns, known).filter { $0.0.count > 1 }.map(\.1.variance).sorted()
    guard !spreads.isEmpty else { return songs.map { _ in 0 } }
    let median = spreads[spreads.count / 2]
    return songs.indices.map { place in
      let count = Double(columns[place].count)
      let variance = (count * known[place].variance + prior * median) / (count + prior)
      guard count > 1, variance > 0 else { return 0 }
      return (piece[place] - known[place].mean) / variance.squareRoot()
    }
  }

  /// The scores over their size on other songs.
  private static func scaled(_ row: Row, _ versions: [String: [Int]]) -> [Double] {
    var others = row.scores
    let own = versions[row.song] ?? []
    for place in own { others[place] = 0 }
    let square = others.reduce(0) { $0 + $1 * $1 } / Double(max(others.count - own.count, 1))
    return square > 0 ? row.scores.map { $0 / square.squareRoot() } : row.scores.map { _ in 0 }
  }

  private static func moments(_ values: [Double]) -> (mean: Double, variance: Double) {
    let count = Double(max(values.count, 1))
    let mean = values.reduce(0, +) / count
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count)
  }
}
