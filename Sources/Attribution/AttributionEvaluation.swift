// The poster's study on any model and catalogue: does unlearning a training track rank that track first,
// for which layers, masks and step sizes, at what damage to the model; where are a song's relatives; and
// how do the scores of generated pieces look beside similarity methods.

package import Foundation
import Models
import Reporting

/// Runs the study. Used from one thread.
package final class AttributionEvaluation {
  private let base: AttributionRequest
  private let context: AttributionContext
  private let store: JobStore
  private let cache: URL
  private let quality: QualityJudge?
  private let progress: (Double, String) throws -> Void
  private var table: FirstOrderTable?
  /// Rankings of the pieces of the test-to-train part, per method.
  package private(set) var curves: [(name: String, rankings: [Ranking])] = []

  /// - Parameters:
  ///   - base: model, catalogue, draws, windows; piece and output are not used.
  ///   - isFirstOrder: scores come from one gradient per track instead of from unlearning (`FirstOrder`).
  ///   - quality: judges fresh generations after unlearning; nil for none.
  ///   - progress: share done and what is being done; throws to stop.
  package init(
    _ base: AttributionRequest, store: JobStore, cache: URL, isFirstOrder: Bool = false,
    quality: QualityJudge? = nil,
    progress: @escaping (Double, String) throws -> Void
  ) throws {
    self.base = base
    self.store = store
    self.cache = cache
    self.progress = progress
    self.quality = quality
    context = try AttributionContext(base)
    if isFirstOrder { table = FirstOrderTable(base, cache: cache) }
  }

  /// - Parameters:
  ///   - queries: how many tracks are unlearned per cell.
  ///   - relatives: how many relatives are unlearned, with the first setting of the grid.
  ///   - twins: how many tracks are planted into the catalogue a second time and unlearned.
  ///   - pieces: generated pieces (takes, codes, sound files).
  package func run(
    grid asked: [EvaluationSetting], queries: Int, relatives: Int, twins: Int,
    pieces: [EvaluationPiece]
  ) throws -> EvaluationResult {
    let started = ContinuousClock.now
    let features = try context.trackFeatures()
    let chosen = representatives(of: features, count: queries)
    let versions = versions(limit: relatives)
    let planted = representatives(of: features, count: twins).map {
      context.catalogue.tracks[$0].id
    }
    for piece in pieces { _ = try piece.track.map { try context.catalogue.track($0) } }
    let layout = context.model.loss.layout
    let grid = asked.filter { $0.layers.wanted(of: layout).contains(true) }
    let absent = Set(asked.map(\.layers)).subtracting(grid.map(\.layers))
    let doubled = planted.isEmpty ? nil : try context.planting(twinsOf: planted)
    try fill(
      chosen.map { context.catalogue.tracks[$0].id }, versions.map(\.id), pieces.map(\.path),
      grid: grid, doubled)
    let all = Double(
      max(grid.count * chosen.count + versions.count + planted.count + pieces.count, 1))
    var done = 0.0
    func step(_ what: String) throws {
      try progress(done / all, what)
      done += 1
    }
    let before = try quality.map { judge in
      judge.distance(of: try judge.listen(context.model.loss.parameters, 0..<judge.clips))
    }
    var rows: [EvaluationRow] = []
    for setting in grid {
      var rankings: [(place: Int, ranking: Ranking)] = []
      var heard: [Float] = []
      for (index, place) in chosen.enumerated() {
        try step(setting.layers.rawValue)
        let id = context.catalogue.tracks[place].id
        let found = try rank(id, isTrack: true, setting, compares: false, context)
        rankings.append((place, found.rankings[0]))
        if let quality, let unlearned = found.unlearned {
          let (first, last) = (
            index * quality.clips / chosen.count, (index + 1) * quality.clips / chosen.count
          )
          if first < last { heard += try quality.listen(unlearned, first..<last) }
        }
      }
      var line = row(setting, rankings, features)
      line.contrastRanks = chosen.compactMap {
        contrastRank(of: context.catalogue.tracks[$0].id, setting)
      }
      line.quality = heard.isEmpty ? nil : quality?.distance(of: heard)
      rows.append(line)
    }
    var found: [(track: CatalogueTrack, rankings: [Ranking])] = []
    var known: [(track: CatalogueTrack, rankings: [Ranking])] = []
    var compared: [[Ranking]] = []
    if let setting = grid.first {
      for track in versions {
        try step("relatives")
        found.append((track, try rankings(of: track.id, grid, context)))
      }
      if let doubled {
        for track in doubled.catalogue.tracks where track.relativeKind == "twin" {
          try step("twins")
          found.append((track, try rankings(of: track.id, grid, doubled)))
        }
      }
      compared = found.map { $0.rankings.filter { !$0.method.contains("(") } }
      for piece in pieces {
        try step("pieces")
        let rankings = try rank(
          piece.path, isTrack: false, setting, compares: true, context
        ).rankings
        compared.append(rankings)
        if let id = piece.track {
          var source = try context.catalogue.track(id)
          source.relativeOf = id
          source.relativeKind = "continued"
          known.append((source, rankings + contrast(rankings[0], of: piece.path, setting)))
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
      correlations: correlationRows(compared), quality: before,
      absent: LayerChoice.allCases.filter(absent.contains),
      seconds: (ContinuousClock.now - started) / .seconds(1))
  }

  private func rank(
    _ piece: String, isTrack: Bool, _ setting: EvaluationSetting, compares: Bool,
    _ context: AttributionContext
  ) throws -> (rankings: [Ranking], unlearned: Parameters?) {
    var request = request(setting)
    request.piece = piece
    request.isTrack = isTrack
    request.compares = compares
    let scores = table?.scores(of: piece, setting)
    let run = AttributionRun(
      request, store: store, cache: cache, context: context, firstOrder: scores
    ) { [progress] in try progress(-1, $0.message) }
    return (try run.run(), run.unlearned)
  }

  /// The rankings of a relative or twin: of all methods with the first setting; to first order, where it costs
  /// nothing, with the others too, under names that tell them.
  private func rankings(
    of track: String, _ grid: [EvaluationSetting], _ context: AttributionContext
  ) throws -> [Ranking] {
    var all = try rank(track, isTrack: true, grid[0], compares: true, context).rankings
    guard table != nil else { return all }
    all += contrast(all[0], of: track, grid[0])
    for setting in grid.dropFirst() {
      var more = try rank(track, isTrack: true, setting, compares: false, context).rankings[0]
      let masks = (setting.masksPiece ? ", M_U" : "") + (setting.masksTracks ? ", M_L" : "")
      more.method += " (\(setting.layers.rawValue), damping \(setting.damping)\(masks))"
      all.append(more)
    }
    return all
  }

  /// The ranking by scores against all other pieces, under a name that tells it; nothing where there are none.
  private func contrast(_ ranking: Ranking, of piece: String, _ setting: EvaluationSetting)
    -> [Ranking]
  {
    guard let scores = table?.contrasts(of: piece, setting) else { return [] }
    var other = ranking
    other.method = AttributionRun.method(isFirstOrder: true, isJudged: true)
    other.tracks = Ranking.sorted(
      ranking.tracks.map { TrackScore(track: $0.track, score: scores[$0.track.id] ?? 0) })
    return [other]
  }

  private func contrastRank(of track: String, _ setting: EvaluationSetting) -> Int? {
    guard let scores = table?.contrasts(of: track, setting), let own = scores[track] else {
      return nil
    }
    return 1 + scores.values.count { $0 > own }
  }

  private func request(_ setting: EvaluationSetting) -> AttributionRequest {
    var request = base
    request.unlearning.layers = setting.layers
    request.unlearning.learningRate = nil
    request.unlearning.rise = setting.rise
    request.unlearning.damping = setting.damping
    request.masksPiece = setting.masksPiece
    request.masksTracks = setting.masksTracks
    return request
  }

  /// Computes the table of first-order scores: pieces with the grid's first setting, the rest with all.
  private func fill(
    _ queries: [String], _ versions: [String], _ pieces: [String], grid: [EvaluationSetting],
    _ doubled: AttributionContext?
  ) throws {
    guard let table, let first = grid.first else { return }
    let context = doubled ?? context
    let twins = context.catalogue.tracks.filter { $0.relativeKind == "twin" }.map(\.id)
    var asks = grid.flatMap { setting in
      (queries + versions + twins).map {
        FirstOrderTable.Ask(piece: $0, isTrack: true, setting: setting)
      }
    }
    asks += pieces.map { .init(piece: $0, isTrack: false, setting: first) }
    try table.fill(asks, context) { [progress] message, _ in try progress(0, message) }
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
    var norms: [Double] = []
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
      if let norm = ranking.checks.stepNorm { norms.append(norm) }
      if let before = ranking.checks.heldOutBefore, let after = ranking.checks.heldOutAfter {
        changes.append((after - before) / before)
      }
    }
    func average(_ values: [Double]) -> Double {
      values.reduce(0, +) / Double(max(values.count, 1))
    }
    return EvaluationRow(
      setting: setting, queries: rankings.count, meanRank: average(ranks),
      ranks: ranks.map { Int($0) }, firstShare: average(ranks.map { $0 == 1 ? 1 : 0 }),
      topSimilarity: average(top), bottomSimilarity: average(bottom),
      heldOutChange: changes.isEmpty ? nil : average(changes),
      commonest: leaders.values.max() ?? 0, stepNorm: norms.isEmpty ? nil : average(norms))
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
