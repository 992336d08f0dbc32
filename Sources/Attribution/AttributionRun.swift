// One attribution from request to ranking: similarity, Fisher information, unlearning, scoring, checks.
//
// Everything slow is kept on the way: base losses and losses after unlearning in the job store, track
// by track; the Fisher information and scores to first order in the cache. A run that is killed and started again does what is
// missing and ends with the same numbers, since every draw is a pure function of track and index.

package import Foundation
import Kernels
package import Models
import Reporting

/// How far a run is.
package struct AttributionProgress: Sendable {
  /// 0 … 1.
  package let share: Double
  package let message: String
  package let secondsLeft: Double?
}

/// Runs a request. Used from one thread.
package final class AttributionRun {
  private let request: AttributionRequest
  private let store: JobStore
  private let cache: URL
  private let shared: AttributionContext?
  private let known: [String: Double]?
  /// The model after unlearning, once `run` has unlearned.
  package private(set) var unlearned: Parameters?
  private let report: (AttributionProgress) throws -> Void
  private let started = ContinuousClock.now
  private var work = 0.0
  private var done = 0.0
  private var firstDone = 0.0

  /// - Parameters:
  ///   - cache: the folder of cached Fisher informations.
  ///   - context: model and catalogue, when they are loaded already.
  ///   - firstOrder: scores of all tracks that were computed to first order; nothing is unlearned then.
  ///   - report: called after every piece of work; throws to stop.
  package init(
    _ request: AttributionRequest, store: JobStore, cache: URL, context: AttributionContext? = nil,
    firstOrder: [String: Double]? = nil, report: @escaping (AttributionProgress) throws -> Void
  ) {
    self.request = request
    self.store = store
    self.cache = cache
    shared = context
    known = firstOrder
    self.report = report
  }

  /// The rankings: unlearning's first, then those of the similarity methods over the same tracks.
  /// - Throws: `AttributionError`, `OutputError`, what reading the inputs throws.
  package func run() throws -> [Ranking] {
    try request.check()
    let context = try shared ?? AttributionContext(request)
    let (model, catalogue, print) = (context.model, context.catalogue, context.print)
    let pool = context.pool
    let piece =
      request.isTrack
      ? try Piece(track: request.piece, in: catalogue)
      : try Piece(path: URL(fileURLWithPath: request.piece), model: model, pool: pool)
    let features = FeatureExtractor(model: model, window: window(of: model), pool: pool)
    let sounds = similarities(
      of: try features.codec(try context.heard(piece.item, with: nil)),
      to: try context.trackFeatures(), standardises: true)
    let chosen = choose(sounds, catalogue)
    let scored = shard(chosen)
    plan(tracks: scored.count, catalogue: catalogue.tracks.count)
    var checks = RankingChecks()
    let tracks: [TrackScore]
    if let known {
      tracks = try scored.map { TrackScore(track: try catalogue.track($0), score: known[$0] ?? 0) }
    } else if request.against != nil {
      panel = try panel(of: piece, context)
      tracks = try firstOrder(piece, scored, context)
    } else {
      tracks = try unlearn(piece, scored, context, &checks)
    }
    var main = ranking(
      Self.method(isFirstOrder: known != nil || request.against != nil, isJudged: !panel.isEmpty),
      isCounterfactual: true, model, catalogue, print, piece, checks, tracks)
    main.meaning =
      (isFirstOrder ? Ranking.firstOrderMeaning : Ranking.unlearningMeaning)
      + ((request.against ?? 0) > 0 && panel.isEmpty ? Ranking.lonelyMeaning : "")
    if !panel.isEmpty {
      main.against = try panel.map { try catalogue.track($0) }
      if main.shard != nil { main.meaning? += Ranking.partMeaning }
    }
    if main.shard == nil {
      try main.judge()
      main.completeChecks()
    }
    var all = [main]
    if request.shard == nil && request.compares {
      let alike = zip(catalogue.tracks, sounds).map { TrackScore(track: $0, score: $1) }
      all.append(
        ranking(
          "codec similarity", isCounterfactual: false, model, catalogue, print, piece,
          RankingChecks(), alike))
      all.append(try activationSimilarity(scored, piece, context, features))
      if let file = request.embeddings {
        let found = try Embeddings(contentsOf: URL(fileURLWithPath: file)).vectors(
          piece: piece.isTrack ? piece.item.id : Embeddings.piece,
          tracks: catalogue.tracks.map(\.id))
        let near = similarities(of: found.piece, to: found.tracks, standardises: false)
        all.append(
          ranking(
            "embedding similarity", isCounterfactual: false, model, catalogue, print, piece,
            RankingChecks(), zip(catalogue.tracks, near).map { TrackScore(track: $0, score: $1) }))
      }
    }
    return all
  }

  // MARK: Parts

  /// Unlearns the piece and asks for the tracks' losses before and after.
  private func unlearn(
    _ piece: Piece, _ scored: [String], _ context: AttributionContext, _ checks: inout RankingChecks
  ) throws -> [TrackScore] {
    let (model, catalogue, print) = (context.model, context.catalogue, context.print)
    let window = window(of: model)
    let asked = try context.heard(
      piece.item,
      with: request.isTrack ? try catalogue.track(request.piece).tags : request.text)
    let fisher = try fisherInformation(context)
    let draws = try request.plan(
      draws: request.pieceDraws, window: window, masks: request.masksPiece
    ).draws(of: asked, for: .unlearn, network: model.loss.network)
    let unlearned = try Unlearning(
      runner: context.runner, settings: request.unlearning, fisher: fisher,
      items: catalogue.tracks.count
    ).unlearn(draws, name: piece.item.id) { try self.advance(0, "unlearning") }
    self.unlearned = unlearned.parameters
    advanceQuietly(Double(4 * request.pieceDraws))

    let trackPlan = request.plan(
      draws: request.trackDraws, window: window, masks: request.masksTracks)
    let captions = request.hearsCaptions == true ? ["captions"] : []
    let baseKey = DigestKey(["base 3", context.asked, print, "\(trackPlan)"] + captions).text
    let afterKey = DigestKey(
      [baseKey, piece.item.id, "\(piece.isTrack)"]
        + request.description.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        + ["\(unlearned.learningRate.bitPattern)"]
    ).text
    let before = try losses(
      scored, context, trackPlan, model.loss.parameters, key: baseKey, "losses before")
    let after = try losses(
      scored, context, trackPlan, unlearned.parameters, key: afterKey, "losses after")
    checks.ownBefore = unlearned.ownBefore
    checks.ownAfter = unlearned.ownAfter
    checks.learningRate = unlearned.learningRate
    checks.stepNorm = unlearned.relativeNorm
    if let heldOut = request.heldOut {
      let others = try Catalogue(folder: URL(fileURLWithPath: heldOut))
      let ids = others.tracks.prefix(50).map(\.id)
      // What the model was trained on: all times.
      var plan = trackPlan
      plan.times = DrawPlan.allTimes
      checks.heldOutBefore = try mean(ids, others, context, plan, model.loss.parameters)
      checks.heldOutAfter = try mean(ids, others, context, plan, unlearned.parameters)
    }
    return try scored.map { id in
      guard let first = before[id], let last = after[id] else {
        throw AttributionError.store(file: store.file.path, reason: "the loss of \(id) is missing")
      }
      return TrackScore(
        track: try catalogue.track(id), score: last - first, before: first, after: last)
    }
  }

  private func fisherInformation(_ context: AttributionContext) throws -> FisherInformation {
    try context.fisherInformation(request, layers: request.unlearning.layers, cache: cache) {
      place in
      try advance(Double(3 * place * request.fisherDraws) - fisherDone, "Fisher information")
      fisherDone = Double(3 * place * request.fisherDraws)
    }
  }

  private var isFirstOrder: Bool { known != nil || request.against != nil }

  /// The tracks that the piece is judged against: spread over the catalogue, none of them a version of the piece;
  /// none where there are too few.
  private func panel(of piece: Piece, _ context: AttributionContext) throws -> [String] {
    guard let count = request.against, count > 0 else { return [] }
    let song = piece.isTrack ? try context.catalogue.track(piece.item.id).song : nil
    let found = representatives(of: try context.trackFeatures(), count: count)
      .map { context.catalogue.tracks[$0] }.filter { $0.song != song }
    return found.count < Contrast.fewest ? [] : found.map(\.id)
  }

  /// Scores the tracks to first order, for the piece and for those that it is judged against.
  private func firstOrder(
    _ piece: Piece, _ scored: [String], _ context: AttributionContext
  ) throws -> [TrackScore] {
    _ = try fisherInformation(context)
    let u = request.unlearning
    let setting = EvaluationSetting(
      layers: u.layers, masksPiece: request.masksPiece, masksTracks: request.masksTracks,
      rise: u.rise, damping: u.damping)
    let table = FirstOrderTable(request, cache: cache, largestBatch: request.batch)
    let own = FirstOrderTable.Ask(piece: request.piece, isTrack: piece.isTrack, setting: setting)
    let others = panel.map { FirstOrderTable.Ask(piece: $0, isTrack: true, setting: setting) }
    let units = Double(
      3 * (request.pieceDraws * (1 + panel.count) + request.trackDraws * scored.count))
    var told = 0.0
    try table.fill([own] + others, context, on: scored) { message, share in
      try advance(units * share - told, message)
      told = units * share
    }
    advanceQuietly(units - told)
    let rows = ([own] + others).compactMap { table.scores(of: $0.piece, setting) }
    return try scored.map { id in
      let values = rows.compactMap { $0[id] }
      var score = TrackScore(track: try context.catalogue.track(id), score: values[0])
      if !panel.isEmpty { score.panel = Array(values[1...]) }
      return score
    }
  }

  /// The name of the method.
  static func method(isFirstOrder: Bool, isJudged: Bool) -> String {
    "unlearning" + (isFirstOrder ? ", first order" : "") + (isJudged ? " (against the others)" : "")
  }

  /// Frames of a window.
  private func window(of model: AskedModel) -> Int {
    max(1, Int((request.windowSeconds * model.stepsPerSecond).rounded()))
  }

  private func activationSimilarity(
    _ ids: [String], _ piece: Piece, _ context: AttributionContext, _ features: FeatureExtractor
  ) throws -> Ranking {
    let (model, catalogue, print) = (context.model, context.catalogue, context.print)
    let own = try features.activations(try context.heard(piece.item, with: nil))
    var vectors: [[Float]] = []
    for id in ids {
      vectors.append(try context.trackActivations(id, features))
      try advance(1, "activations")
    }
    let found = similarities(of: own, to: vectors, standardises: true)
    let tracks = try zip(ids, found).map {
      TrackScore(track: try catalogue.track($0), score: $1)
    }
    return ranking(
      "activation similarity", isCounterfactual: false, model, catalogue, print, piece,
      RankingChecks(), tracks)
  }

  /// The candidates: all, or the most similar ones, in the catalogue's order. The piece itself always.
  private func choose(_ sounds: [Double], _ catalogue: Catalogue) -> [String] {
    let ids = catalogue.tracks.map(\.id)
    guard let limit = request.candidates, limit < ids.count else { return ids }
    let best = ids.indices.sorted { (sounds[$0], ids[$1]) > (sounds[$1], ids[$0]) }.prefix(limit)
    var kept = Set(best.map { ids[$0] })
    if request.isTrack { kept.insert(request.piece) }
    return ids.filter(kept.contains)
  }

  private func shard(_ ids: [String]) -> [String] {
    guard let shard = request.shard else { return ids }
    return ids.indices.filter { $0 % shard[1] == shard[0] - 1 }.map { ids[$0] }
  }

  private var fisherDone = 0.0
  /// The tracks that the piece is judged against.
  private var panel: [String] = []

  private func losses(
    _ ids: [String], _ context: AttributionContext, _ plan: DrawPlan, _ parameters: Parameters,
    key: String, _ message: String
  ) throws -> [String: Double] {
    let runner = context.runner
    var found = try store.losses(key)
    let missing = ids.filter { found[$0] == nil }
    advanceQuietly(Double((ids.count - missing.count) * plan.draws))
    for start in stride(from: 0, to: missing.count, by: request.batch) {
      let names = Array(missing[start..<min(start + request.batch, missing.count)])
      let draws = try names.map {
        try plan.draws(of: try context.item($0), for: .score, network: runner.model.network)
      }
      let values = try runner.losses(of: draws, names: names, parameters)
      try store.add(Array(zip(names, values)).map { (track: $0.0, value: $0.1) }, key: key)
      for (name, value) in zip(names, values) { found[name] = value }
      try advance(Double(names.count * plan.draws), message)
    }
    return found
  }

  private func mean(
    _ ids: [String], _ catalogue: Catalogue, _ context: AttributionContext, _ plan: DrawPlan,
    _ parameters: Parameters
  ) throws -> Double {
    let runner = context.runner
    let draws = try ids.map {
      try plan.draws(
        of: try context.item($0, in: catalogue), for: .heldOut, network: runner.model.network)
    }
    let values = try runner.losses(of: draws, names: Array(ids), parameters)
    return values.reduce(0, +) / Double(max(values.count, 1))
  }

  private func ranking(
    _ method: String, isCounterfactual: Bool, _ model: AskedModel, _ catalogue: Catalogue,
    _ print: String, _ piece: Piece, _ checks: RankingChecks, _ tracks: [TrackScore]
  ) -> Ranking {
    let isMaker = piece.maker == model.fingerprint || piece.isTrack
    let isAttribution = isCounterfactual && isMaker
    let question =
      isCounterfactual
      ? question(model, piece, isMaker: isMaker)
      : "How alike are the piece and each track? No model was made to forget anything."
    var settings = isCounterfactual ? request.description : [:]
    settings["objective"] = isCounterfactual ? model.loss.objective : nil
    var result = Ranking(
      kind: isAttribution ? "attribution" : "similarity", method: method, question: question,
      piece: piece.item.id, model: model.name, modelFingerprint: model.fingerprint,
      catalogue: catalogue.name, catalogueFingerprint: print, settings: settings, checks: checks,
      tracks: tracks, shard: request.shard,
      seconds: (ContinuousClock.now - started) / .seconds(1))
    if !piece.isTrack { result.pieceName = URL(fileURLWithPath: request.piece).lastPathComponent }
    if !isCounterfactual {
      result.meaning = Ranking.similarityMeaning
      result.completeChecks()
    }
    return result
  }

  /// In words: what was asked of which model.
  private func question(_ model: AskedModel, _ piece: Piece, isMaker: Bool) -> String {
    let name = "The \(model.family) \(model.name)"
    // To first order nothing is unlearned: the gradients tell what a small step of it would do.
    let (made, rises) =
      isFirstOrder ? ("would be made to forget", "would rise") : ("was made to forget", "rises")
    var question = "whose loss \(rises)"
    if !panel.isEmpty {
      question += " more than if it were to forget other tracks"
    }
    if piece.isTrack { return "\(name) \(made) one of its training tracks: \(question)?" }
    if isMaker { return "\(name), which made the piece, \(made) it: \(question)?" }
    return """
      \(name) \(made) a piece that \
      \(piece.maker == nil ? "nothing shows it made" : "another model made"): this says which tracks are alike \
      to this model, not what the piece owes to them.
      """
  }

  // MARK: Progress

  /// Work in units of one forward pass of a draw.
  private func plan(tracks: Int, catalogue: Int) {
    let fisher = 3 * min(request.fisherTracks, catalogue) * request.fisherDraws
    let pieces = request.against.map { 3 * (1 + $0) } ?? 4
    work = Double(
      fisher + pieces * request.pieceDraws
        + (request.against == nil ? 2 : 3) * tracks * request.trackDraws
        + (request.shard == nil && request.compares ? tracks : 0))
  }

  private func advanceQuietly(_ units: Double) {
    done += units
    firstDone += units
  }

  private func advance(_ units: Double, _ message: String) throws {
    done += units
    let spent = (ContinuousClock.now - started) / .seconds(1)
    let computed = done - firstDone
    let left = computed > 0 ? (work - done) * spent / computed : nil
    try report(
      AttributionProgress(
        share: min(done / max(work, 1), 1), message: message, secondsLeft: left.map { max($0, 0) }))
  }
}
