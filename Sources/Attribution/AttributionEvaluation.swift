// The poster's study on any model and catalogue: does unlearning a training track rank that track first,
// for which layers, masks and step sizes, at what damage to the model; where are a song's relatives; and
// how do the scores of generated pieces look beside similarity methods.

package import Foundation
import Models
import Reporting

/// One cell of the grid.
package struct EvaluationSetting: Sendable, Codable, Equatable {
  package var layers: LayerChoice
  package var masksPiece: Bool
  package var masksTracks: Bool
  /// By how much of itself the piece's own loss rises.
  package var rise: Double

  package init(layers: LayerChoice, masksPiece: Bool, masksTracks: Bool, rise: Double) {
    self.layers = layers
    self.masksPiece = masksPiece
    self.masksTracks = masksTracks
    self.rise = rise
  }
}

/// What a cell came to.
package struct EvaluationRow: Sendable, Codable, Equatable {
  package let setting: EvaluationSetting
  /// Tracks that were unlearned.
  package let queries: Int
  /// R: mean rank of the unlearned track.
  package let meanRank: Double
  package let firstShare: Double
  /// Mean codec similarity of the ten best and ten worst tracks to the unlearned one.
  package let topSimilarity: Double
  package let bottomSimilarity: Double
  /// Mean change of the held-out loss, relative; nil without held-out tracks.
  package let heldOutChange: Double?
  /// How many of the queries share their most frequent top track (other than themselves).
  package let commonest: Int
}

/// Where relatives rank with one method.
package struct RelativeRow: Sendable, Codable, Equatable {
  package let method: String
  package let kind: String
  package let queries: Int
  package let medianRank: Double
  /// Share among the first two, and within the first percent of the catalogue.
  package let topTwo: Double
  package let topPercent: Double
}

/// How two methods agree.
package struct CorrelationRow: Sendable, Codable, Equatable {
  package let methods: [String]
  package let queries: Int
  package let mean: Double
}

/// A generated piece, and the track that it continues, when one is known.
package struct EvaluationPiece: Sendable {
  package var path: String
  package var track: String?

  package init(path: String, track: String? = nil) {
    self.path = path
    self.track = track
  }
}

/// The study's results.
package struct EvaluationResult: Sendable, Codable, Equatable {
  package let model: String
  package let modelFingerprint: String
  package let family: String
  package let catalogue: String
  package let tracks: Int
  package var grid: [EvaluationRow]
  package var relatives: [RelativeRow]
  /// Where the track ranks that a generated piece continues.
  package var sources: [RelativeRow]
  /// Mean of Spearman's rank correlation between methods, over pieces, relatives and twins.
  package var correlations: [CorrelationRow]
  package var seconds: Double
}

/// Runs the study. Used from one thread.
package final class AttributionEvaluation {
  private let base: AttributionRequest
  private let context: AttributionContext
  private let store: JobStore
  private let cache: URL
  private let progress: (Double, String) throws -> Void
  /// Rankings of the pieces of the test-to-train part, per method.
  package private(set) var curves: [(name: String, rankings: [Ranking])] = []

  /// - Parameters:
  ///   - base: model, catalogue, draws, windows; piece and output are not used.
  ///   - progress: share done and what is being done; throws to stop.
  package init(
    _ base: AttributionRequest, store: JobStore, cache: URL,
    progress: @escaping (Double, String) throws -> Void
  ) throws {
    self.base = base
    self.store = store
    self.cache = cache
    self.progress = progress
    context = try AttributionContext(base)
  }

  /// - Parameters:
  ///   - queries: how many tracks are unlearned per cell.
  ///   - relatives: how many relatives are unlearned, with the first setting of the grid.
  ///   - twins: how many tracks are planted into the catalogue a second time and unlearned.
  ///   - pieces: generated pieces (takes, codes, sound files).
  package func run(
    grid: [EvaluationSetting], queries: Int, relatives: Int, twins: Int, pieces: [EvaluationPiece]
  ) throws -> EvaluationResult {
    let started = ContinuousClock.now
    let features = try context.trackFeatures()
    let chosen = representatives(of: features, count: queries)
    let versions = versions(limit: relatives)
    let planted = representatives(of: features, count: twins).map {
      context.catalogue.tracks[$0].id
    }
    for piece in pieces { _ = try piece.track.map { try context.catalogue.track($0) } }
    let all = Double(
      max(grid.count * chosen.count + versions.count + planted.count + pieces.count, 1))
    var done = 0.0
    func step(_ what: String) throws {
      try progress(done / all, what)
      done += 1
    }
    var rows: [EvaluationRow] = []
    for setting in grid {
      var rankings: [(place: Int, ranking: Ranking)] = []
      for place in chosen {
        try step(setting.layers.rawValue)
        let id = context.catalogue.tracks[place].id
        rankings.append((place, try rank(id, isTrack: true, setting, compares: false, context)[0]))
      }
      rows.append(row(setting, rankings, features))
    }
    var found: [(track: CatalogueTrack, rankings: [Ranking])] = []
    var known: [(track: CatalogueTrack, rankings: [Ranking])] = []
    var compared: [[Ranking]] = []
    if let setting = grid.first {
      for track in versions {
        try step("relatives")
        found.append((track, try rank(track.id, isTrack: true, setting, compares: true, context)))
      }
      if !planted.isEmpty {
        let doubled = try AttributionContext(base, twins: planted)
        for track in doubled.catalogue.tracks where track.relativeKind == "twin" {
          try step("twins")
          found.append((track, try rank(track.id, isTrack: true, setting, compares: true, doubled)))
        }
      }
      compared = found.map(\.rankings)
      for piece in pieces {
        try step("pieces")
        let rankings = try rank(piece.path, isTrack: false, setting, compares: true, context)
        compared.append(rankings)
        if let id = piece.track {
          var source = try context.catalogue.track(id)
          source.relativeOf = id
          source.relativeKind = "continued"
          known.append((source, rankings))
        }
        for ranking in rankings {
          if let place = curves.firstIndex(where: { $0.name == ranking.method }) {
            curves[place].rankings.append(ranking)
          } else {
            curves.append((ranking.method, [ranking]))
          }
        }
      }
    }
    return EvaluationResult(
      model: context.model.name, modelFingerprint: context.model.fingerprint,
      family: context.model.family, catalogue: context.catalogue.name,
      tracks: context.catalogue.tracks.count, grid: rows, relatives: relativeRows(found),
      sources: relativeRows(known),
      correlations: correlationRows(compared),
      seconds: (ContinuousClock.now - started) / .seconds(1))
  }

  private func rank(
    _ piece: String, isTrack: Bool, _ setting: EvaluationSetting, compares: Bool,
    _ context: AttributionContext
  ) throws -> [Ranking] {
    var request = base
    request.piece = piece
    request.isTrack = isTrack
    request.compares = compares
    request.unlearning.layers = setting.layers
    request.unlearning.learningRate = nil
    request.unlearning.rise = setting.rise
    request.masksPiece = setting.masksPiece
    request.masksTracks = setting.masksTracks
    return try AttributionRun(request, store: store, cache: cache, context: context) {
      [progress] in try progress(-1, $0.message)
    }.run()
  }

  private func correlationRows(_ found: [[Ranking]]) -> [CorrelationRow] {
    var values: [[String]: [Double]] = [:]
    for rankings in found {
      for (place, a) in rankings.enumerated() {
        for b in rankings[(place + 1)...] {
          guard let value = correlation(a, b) else { continue }
          values[[a.method, b.method], default: []].append(value)
        }
      }
    }
    return values.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { methods, list in
      CorrelationRow(
        methods: methods, queries: list.count, mean: list.reduce(0, +) / Double(list.count))
    }
  }

  /// Tracks that are another version of one in the catalogue, spread evenly.
  private func versions(limit: Int) -> [CatalogueTrack] {
    let ids = Set(context.catalogue.tracks.map(\.id))
    let all = context.catalogue.tracks.filter { $0.relativeOf.map(ids.contains) ?? false }
    guard limit < all.count else { return all }
    return (0..<max(limit, 0)).map { all[$0 * all.count / limit] }
  }

  private func row(
    _ setting: EvaluationSetting, _ rankings: [(place: Int, ranking: Ranking)],
    _ features: [[Float]]
  ) -> EvaluationRow {
    var ranks: [Double] = []
    var top: [Double] = []
    var bottom: [Double] = []
    var changes: [Double] = []
    var leaders: [String: Int] = [:]
    var places: [String: Int] = [:]
    for (place, track) in context.catalogue.tracks.enumerated() { places[track.id] = place }
    for (place, ranking) in rankings {
      ranks.append(Double(ranking.rank(of: ranking.piece) ?? ranking.tracks.count))
      let alike = similarities(of: features[place], to: features, standardises: true)
      let others = ranking.tracks.filter { $0.track.id != ranking.piece }
      func mean(_ part: some Collection<TrackScore>) -> Double {
        part.compactMap { places[$0.track.id].map { alike[$0] } }.reduce(0, +)
          / Double(max(part.count, 1))
      }
      top.append(mean(others.prefix(10)))
      bottom.append(mean(others.suffix(10)))
      if let leader = others.first { leaders[leader.track.id, default: 0] += 1 }
      if let before = ranking.checks.heldOutBefore, let after = ranking.checks.heldOutAfter {
        changes.append((after - before) / before)
      }
    }
    func average(_ values: [Double]) -> Double {
      values.reduce(0, +) / Double(max(values.count, 1))
    }
    return EvaluationRow(
      setting: setting, queries: rankings.count, meanRank: average(ranks),
      firstShare: average(ranks.map { $0 == 1 ? 1 : 0 }), topSimilarity: average(top),
      bottomSimilarity: average(bottom), heldOutChange: changes.isEmpty ? nil : average(changes),
      commonest: leaders.values.max() ?? 0)
  }

  private func relativeRows(_ found: [(track: CatalogueTrack, rankings: [Ranking])])
    -> [RelativeRow]
  {
    var ranks: [String: [Int]] = [:]
    for (track, rankings) in found {
      guard let original = track.relativeOf else { continue }
      for ranking in rankings {
        // The query itself is no answer.
        let others = ranking.tracks.filter { $0.track.id != ranking.piece }
        guard let place = others.firstIndex(where: { $0.track.id == original }) else { continue }
        for kind in [track.relativeKind ?? "version", "all"] {
          ranks["\(ranking.method)\0\(kind)", default: []].append(place + 1)
        }
      }
    }
    let limit = max(context.catalogue.tracks.count / 100, 1)
    return ranks.sorted { $0.key < $1.key }.map { key, places in
      let parts = key.split(separator: "\0").map(String.init)
      func share(_ isGood: (Int) -> Bool) -> Double {
        Double(places.count(where: isGood)) / Double(places.count)
      }
      return RelativeRow(
        method: parts[0], kind: parts[1], queries: places.count,
        medianRank: Double(places.sorted()[places.count / 2]), topTwo: share { $0 <= 2 },
        topPercent: share { $0 <= limit })
    }
  }
}
