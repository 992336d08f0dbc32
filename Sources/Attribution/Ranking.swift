// What an attribution comes to: scores per track, ranked, with the checks that show whether to believe
// them. The one format that all methods write.

package import Foundation
import Models
import Reporting

/// A track's score.
package struct TrackScore: Sendable, Codable, Equatable {
  package var track: CatalogueTrack
  /// Larger means that the piece owes more to the track. For unlearning, the rise of its loss.
  package var score: Double
  /// The track's loss before and after unlearning; nil for similarity methods.
  package var before: Double?
  package var after: Double?
  /// Where scores are judged against a panel, the score itself: the rise of the track's loss.
  package var plain: Double?
  /// In a part of a sharded ranking that is to be judged: the scores of the panel's pieces on this track.
  package var panel: [Double]?

  package init(track: CatalogueTrack, score: Double, before: Double? = nil, after: Double? = nil) {
    self.track = track
    self.score = score
    self.before = before
    self.after = after
  }
}

/// What the method says about itself.
package struct RankingChecks: Sendable, Codable, Equatable {
  /// Rank of the piece itself, when it is a track of the catalogue (R of METHOD 6; 1 is perfect).
  package var ownRank: Int?
  /// The same by the plain scores, where they are judged against a panel.
  package var plainRank: Int?
  package var ownBefore: Double?
  package var ownAfter: Double?
  /// Median rise of all tracks' losses.
  package var medianRise: Double?
  /// Loss of held-out tracks before and after (collateral).
  package var heldOutBefore: Double?
  package var heldOutAfter: Double?
  package var learningRate: Double?
  /// ‖Θ − Θ0‖ / ‖Θ0‖.
  package var stepNorm: Double?

  package init() {}
}

/// The result of asking one model (or none) about one piece with one method.
package struct Ranking: Sendable, Codable, Equatable {
  package static let format = "continuo-attribution"

  package var format = Ranking.format
  package var version = 1
  /// “attribution” when the model that made the piece was asked, else “similarity”.
  package var kind: String
  package var method: String
  /// In words: what a score is.
  package var meaning: String?
  /// The tracks whose scores these are judged against; nil for none.
  package var against: [CatalogueTrack]?
  /// In words: what was asked of which model.
  package var question: String
  package var piece: String
  /// The file or folder that the piece came from; nil for a track of the catalogue.
  package var pieceName: String?
  package var model: String
  package var modelFingerprint: String
  package var catalogue: String
  package var catalogueFingerprint: String
  package var settings: [String: String]
  package var checks: RankingChecks
  /// Best first.
  package var tracks: [TrackScore]
  /// Index and count of the shard, when this is a part.
  package var shard: [Int]?
  package var seconds: Double

  package init(
    kind: String, method: String, question: String, piece: String, model: String,
    modelFingerprint: String, catalogue: String, catalogueFingerprint: String,
    settings: [String: String], checks: RankingChecks, tracks: [TrackScore], shard: [Int]?,
    seconds: Double
  ) {
    self.kind = kind
    self.method = method
    self.question = question
    self.piece = piece
    self.model = model
    self.modelFingerprint = modelFingerprint
    self.catalogue = catalogue
    self.catalogueFingerprint = catalogueFingerprint
    self.settings = settings
    self.checks = checks
    self.tracks = Ranking.sorted(tracks)
    self.shard = shard
    self.seconds = seconds
  }

  /// Best first; equal scores by id, so that the order is the same everywhere.
  package static func sorted(_ tracks: [TrackScore]) -> [TrackScore] {
    tracks.sorted { ($0.score, $1.track.id) > ($1.score, $0.track.id) }
  }

  /// The place of `id`, from 1.
  package func rank(of id: String) -> Int? {
    tracks.firstIndex { $0.track.id == id }.map { $0 + 1 }
  }

  /// One ranking from all shards of it: the same, bit for bit, as the unsharded one (time aside).
  /// - Throws: `AttributionError.shards`.
  package static func merge(_ parts: [Ranking]) throws -> Ranking {
    guard var whole = parts.first else { throw AttributionError.shards(reason: "there are none") }
    guard let count = whole.shard?.last,
      parts.allSatisfy({ $0.shard?.count == 2 && $0.shard?.last == count })
    else { throw AttributionError.shards(reason: "they are not parts of one whole") }
    let found = parts.compactMap { $0.shard?.first }.sorted()
    guard found == Array(1...count) else {
      throw AttributionError.shards(reason: "\(found) of \(count) are there")
    }
    for part in parts {
      guard part.modelFingerprint == whole.modelFingerprint, part.method == whole.method,
        part.catalogueFingerprint == whole.catalogueFingerprint, part.piece == whole.piece,
        part.settings == whole.settings, part.against == whole.against,
        part.checks.learningRate == whole.checks.learningRate
      else { throw AttributionError.shards(reason: "model, catalogue, piece or settings differ") }
    }
    whole.tracks = sorted(parts.flatMap(\.tracks))
    guard Set(whole.tracks.map(\.track.id)).count == whole.tracks.count else {
      throw AttributionError.shards(reason: "a track occurs in two of them")
    }
    whole.shard = nil
    whole.seconds = parts.map(\.seconds).reduce(0, +)
    try whole.judge()
    whole.completeChecks()
    return whole
  }

  static let unlearningMeaning = "rise of the track’s loss"
  static let firstOrderMeaning = "rise of the track’s loss, to first order"
  static let lonelyMeaning = "; the catalogue has too few other songs to judge it against"
  static let partMeaning = "; judged against the other tracks when the parts are merged"
  static let similarityMeaning = "cosine of the features"

  /// Judges the scores of a whole against those of the panel, where there is one; a part keeps both until it is merged,
  /// since the judgement needs all tracks.
  /// - Throws: `AttributionError.shards` when a track lacks the panel's scores.
  mutating func judge() throws {
    guard let against else { return }
    // In a fixed order, so that sums are the same whatever the shards were.
    let ordered = tracks.sorted { $0.track.id < $1.track.id }
    let rows = ordered.compactMap(\.panel)
    guard rows.count == ordered.count, rows.allSatisfy({ $0.count == against.count }) else {
      throw AttributionError.shards(reason: "scores of the tracks to judge against are missing")
    }
    let own = ordered.first { $0.track.id == piece }?.track.song ?? piece
    let scores = Contrast.deviations(
      of: Contrast.Row(song: own, scores: ordered.map(\.score)),
      above: against.indices.map { place in
        Contrast.Row(song: against[place].song, scores: rows.map { $0[place] })
      }, songs: ordered.map(\.track.song))
    tracks = Self.sorted(
      zip(ordered, scores).map { entry, score in
        var judged = entry
        judged.plain = entry.score
        judged.score = score
        judged.panel = nil
        return judged
      })
    meaning =
      "deviations above what \(against.count) other tracks have in its place; plain: \(Self.firstOrderMeaning)"
  }

  /// Fills in the checks that follow from the scores.
  package mutating func completeChecks() {
    checks.ownRank = rank(of: piece)
    if let own = tracks.first(where: { $0.track.id == piece })?.plain {
      checks.plainRank = 1 + tracks.count { $0.plain.map { $0 > own } ?? false }
    }
    let rises = tracks.compactMap { track in track.after.map { $0 - (track.before ?? $0) } }
    checks.medianRise = rises.isEmpty ? nil : rises.sorted()[rises.count / 2]
  }

  /// Writes `ranking.json` and `ranking.csv` into `folder`.
  /// - Throws: `OutputError`.
  package func write(to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(
      try encoder.encode(self), to: folder.appendingPathComponent("ranking.json"))
    try AtomicFile.write(Data(csv.utf8), to: folder.appendingPathComponent("ranking.csv"))
  }

  /// Reads `ranking.json` of a result's folder.
  /// - Throws: `AttributionError.shards`.
  package init(folder: URL) throws {
    let file = folder.appendingPathComponent("ranking.json")
    guard let data = try? Data(contentsOf: file),
      let found = try? JSONDecoder().decode(Ranking.self, from: data),
      found.format == Ranking.format, found.version == 1
    else { throw AttributionError.shards(reason: "\(file.path) is no ranking of this version") }
    self = found
  }

  private var csv: String {
    func quoted(_ text: String) -> String {
      // A leading sign would be a formula in a spreadsheet.
      let harmless = text.first.map { "=+-@".contains($0) } == true ? "'" + text : text
      return "\"" + harmless.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }
    var lines = ["rank,id,title,artist,licence,score,before,after,plain"]
    for (place, entry) in tracks.enumerated() {
      let track = entry.track
      let texts = [track.id, track.title, track.artist, track.licence].map(quoted)
      let numbers = [entry.score, entry.before, entry.after, entry.plain].map {
        $0.map { "\($0)" } ?? ""
      }
      lines.append((["\(place + 1)"] + texts + numbers).joined(separator: ","))
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
