// One attribution from request to ranking: similarity, Fisher information, unlearning, scoring, checks.
//
// Everything slow is kept on the way: base losses and losses after unlearning in the job store, track
// by track; the Fisher information in the cache. A run that is killed and started again does what is
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
    } else {
      tracks = try unlearn(piece, scored, context, &checks)
    }
    var main = ranking(
      known == nil ? "unlearning" : "unlearning, first order", isCounterfactual: true, model,
      catalogue, print, piece, checks, tracks)
    if main.shard == nil { main.completeChecks() }
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
    let fisher = try context.fisherInformation(
      request, layers: request.unlearning.layers, cache: cache
    ) { place in
      try advance(Double(3 * place * request.fisherDraws) - fisherDone, "Fisher information")
      fisherDone = Double(3 * place * request.fisherDraws)
    }
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
    let question: String
    if !isCounterfactual {
      question = "How alike are the piece and each track? No model was made to forget anything."
    } else if piece.isTrack {
      question = """
        The \(model.family) \(model.name) was made to forget one of its training tracks: whose loss rises?
        """
    } else if isMaker {
      question = """
        The \(model.family) \(model.name), which made the piece, was made to forget it: whose loss rises?
        """
    } else {
      question = """
        The \(model.family) \(model.name) was made to forget a piece that \
        \(piece.maker == nil ? "nothing shows it made" : "another model made"): this says which tracks are alike \
        to this model, not what the piece owes to them.
        """
    }
    var settings = isCounterfactual ? request.description : [:]
    settings["objective"] = isCounterfactual ? model.loss.objective : nil
    var result = Ranking(
      kind: isAttribution ? "attribution" : "similarity", method: method, question: question,
      piece: piece.item.id, model: model.name, modelFingerprint: model.fingerprint,
      catalogue: catalogue.name, catalogueFingerprint: print, settings: settings, checks: checks,
      tracks: tracks, shard: request.shard,
      seconds: (ContinuousClock.now - started) / .seconds(1))
    if !piece.isTrack { result.pieceName = URL(fileURLWithPath: request.piece).lastPathComponent }
    if !isCounterfactual { result.completeChecks() }
    return result
  }

  // MARK: Progress

  /// Work in units of one forward pass of a draw.
  private func plan(tracks: Int, catalogue: Int) {
    let fisher = 3 * min(request.fisherTracks, catalogue) * request.fisherDraws
    work = Double(
      fisher + 4 * request.pieceDraws + 2 * tracks * request.trackDraws
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
