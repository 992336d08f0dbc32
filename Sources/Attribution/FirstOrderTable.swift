// Scores to first order, of the study or of one piece and its panel: for all pieces and settings in as few passes
// over the catalogue as memory allows. What a pass gave is kept beside the Fisher information, and within a pass what
// it has so far (saving takes at most a twentieth of the time), so that it goes on after an interruption and ends with
// the same bits. Gradients of the pieces are not kept (they are as large as the model each) and are computed again.
//
// Files: KEY.scores.safetensors (directions, choices, tracks); while it is computed KEY.partial.safetensors, the
// same of the first tracks.

import Foundation
import Kernels
import Models
import Reporting

/// Scores of pieces on tracks, by setting. Used from one thread.
final class FirstOrderTable {
  /// A piece and how it would be unlearned.
  struct Ask {
    /// A track's id, or a path.
    var piece: String
    var isTrack: Bool
    var setting: EvaluationSetting
  }

  /// Asks that share one gradient of the piece.
  private struct Query: Hashable {
    var piece: String
    var isTrack: Bool
    var masksPiece: Bool
  }

  /// Megabytes of directions where the request names no limit.
  private static let megabytes = 4000

  private let request: AttributionRequest
  private let cache: URL
  /// Tracks whose gradients are held at once, where memory allows.
  private let largestBatch: Int
  /// The tracks that are scored, and the song of each.
  private var tracks: [CatalogueTrack] = []
  /// Scores of a piece, one for each of the tracks.
  private var found: [Key: Contrast.Row] = [:]

  private struct Key: Hashable {
    var piece: String
    var masksPiece: Bool
    var masksTracks: Bool
    var damping: Double
    var layers: LayerChoice
  }

  init(_ request: AttributionRequest, cache: URL, largestBatch: Int = 32) {
    self.request = request
    self.cache = cache
    self.largestBatch = largestBatch
  }

  /// The scores of a piece, by track; nil when nobody asked for them.
  func scores(of piece: String, _ setting: EvaluationSetting) -> [String: Double]? {
    found[key(piece, setting)].map { byTrack($0.scores.map { $0 * setting.rise }) }
  }

  /// The same against all other pieces that were asked with this setting (`Contrast`). Nil with fewer than
  /// `Contrast.fewest` of them.
  func contrasts(of piece: String, _ setting: EvaluationSetting) -> [String: Double]? {
    let own = key(piece, setting)
    guard let row = found[own] else { return nil }
    // In a fixed order, so that sums are the same in every run.
    let others = found.filter {
      var other = $0.key
      other.piece = piece
      return other == own && $0.key.piece != piece
    }.sorted { $0.key.piece < $1.key.piece }.map(\.value)
    guard others.count >= Contrast.fewest else { return nil }
    return byTrack(Contrast.deviations(of: row, above: others, songs: tracks.map(\.song)))
  }

  private func key(_ piece: String, _ setting: EvaluationSetting) -> Key {
    Key(
      piece: piece, masksPiece: setting.masksPiece, masksTracks: setting.masksTracks,
      damping: setting.damping, layers: setting.layers)
  }

  private func byTrack(_ values: [Double]) -> [String: Double] {
    Dictionary(zip(tracks.map(\.id), values), uniquingKeysWith: { first, _ in first })
  }

  /// Computes what is asked for.
  /// - Parameters:
  ///   - ids: the tracks that are scored, the same in every call; nil for all of the context's catalogue.
  ///   - report: told what is being done, and the share of it; throws to stop.
  func fill(
    _ asks: [Ask], _ context: AttributionContext, on ids: [String]? = nil,
    report: (String, Double) throws -> Void
  ) throws {
    tracks = try ids.map { try $0.map(context.catalogue.track) } ?? context.catalogue.tracks
    let choices = LayerChoice.allCases.filter { choice in
      asks.contains { $0.setting.layers == choice }
    }
    guard let widest = choices.first(where: { $0 == .allTransformer }) ?? choices.first else {
      return
    }
    // Every choice is a part of all layers, and its Fisher information a part of theirs.
    let fisher = try context.fisherInformation(
      request, layers: choices.count == 1 ? widest : .allTransformer, cache: cache
    ) { try report("Fisher information, \($0) tracks", 0) }
    let study = FirstOrder(runner: context.runner, choices: choices, fisher: fisher)
    var dampings: [Double] = []
    for ask in asks where !dampings.contains(ask.setting.damping) {
      dampings.append(ask.setting.damping)
    }
    let directions = max(
      1, (request.memory ?? Self.megabytes) * 1_000_000 / study.bytesPerDirection)
    let atOnce = max(1, directions / dampings.count)
    for masksTracks in [false, true] {
      var queries: [Query] = []
      var known: Set<Query> = []
      for ask in asks where ask.setting.masksTracks == masksTracks {
        let query = Query(
          piece: ask.piece, isTrack: ask.isTrack, masksPiece: ask.setting.masksPiece)
        if known.insert(query).inserted { queries.append(query) }
      }
      let passes = (queries.count + atOnce - 1) / atOnce
      for pass in 0..<passes {
        // Passes of equal size: the last one costs as much as the others.
        let part = Array(
          queries[pass * queries.count / passes..<(pass + 1) * queries.count / passes])
        try run(part, dampings, masksTracks: masksTracks, study, context) {
          let share = (Double(pass) + $0) / Double(passes)
          try report("first order, pass \(pass + 1) of \(passes): \(Int(100 * $0)) %", share)
        }
      }
    }
  }

  private func run(
    _ asked: [Query], _ dampings: [Double], masksTracks: Bool, _ study: FirstOrder,
    _ context: AttributionContext, progress: (Double) throws -> Void
  ) throws {
    let window = max(1, Int((request.windowSeconds * context.model.stepsPerSecond).rounded()))
    let network = context.model.loss.network
    let queries = try asked.map { query in
      let piece =
        query.isTrack
        ? try Piece(track: query.piece, in: context.catalogue)
        : try Piece(
          path: URL(fileURLWithPath: query.piece), model: context.model, pool: context.pool)
      let text = query.isTrack ? try context.catalogue.track(query.piece).tags : request.text
      let plan = request.plan(
        draws: request.pieceDraws, window: window, masks: query.masksPiece)
      return FirstOrder.Query(
        name: piece.item.id,
        draws: try plan.draws(
          of: try context.heard(piece.item, with: text), for: .unlearn, network: network),
        dampings: dampings)
    }
    let ids = tracks.map(\.id)
    let plan = request.plan(draws: request.trackDraws, window: window, masks: masksTracks)
    let key = DigestKey(
      [
        "first order 3", context.asked, context.print, "\(plan)", "\(request.pieceDraws)",
        "\(request.fisherTracks) \(request.fisherDraws)", "\(request.hearsCaptions ?? false)",
        "\(request.text ?? "")", "\(dampings)",
      ] + (ids.count == context.catalogue.tracks.count ? [] : ids) + study.choices.map(\.rawValue)
        + zip(queries, asked).map { "\($0.name) \($1.masksPiece)" }
    ).text
    let shape = [asked.count * dampings.count, study.choices.count, ids.count]
    let scores = try kept(key, shape) { known, keep in
      try study.scores(
        of: queries, on: ids, known: known, batch: batch(of: study),
        draws: { try plan.draws(of: try context.item($0), for: .score, network: network) },
        keep: keep, progress: progress)
    }
    for (index, query) in asked.enumerated() {
      for (place, damping) in dampings.enumerated() {
        for (choice, row) in zip(study.choices, scores[index * dampings.count + place]) {
          let key = Key(
            piece: query.piece, masksPiece: query.masksPiece, masksTracks: masksTracks,
            damping: damping, layers: choice)
          let song = query.isTrack ? try context.catalogue.track(query.piece).song : query.piece
          found[key] = Contrast.Row(song: song, scores: row)
        }
      }
    }
  }

  /// Tracks whose gradients are held at once: each batch reads all directions once.
  private func batch(of study: FirstOrder) -> Int {
    let memory = (request.memory ?? Self.megabytes) * 1_000_000
    return min(max(memory / 8 / study.bytesPerDirection, 1), largestBatch)
  }

  /// The scores under `key`: those that were kept, or what `compute` makes of the first of them that an interrupted
  /// run kept (nil: none). It hands all scores so far to its second argument now and then.
  private func kept(
    _ key: String, _ shape: [Int],
    compute: ([[[Double]]]?, @escaping ([[[Double]]]) throws -> Void) throws -> [[[Double]]]
  ) throws -> [[[Double]]] {
    let file = cache.appendingPathComponent(key + ".scores.safetensors")
    let partial = cache.appendingPathComponent(key + ".partial.safetensors")
    AtomicFile.removeLeftovers(in: cache)
    if let scores = read(file, shape) {
      // Killed before it could be removed.
      try? FileManager.default.removeItem(at: partial)
      return scores
    }
    var latest: [[[Double]]]?
    var next = ContinuousClock.now
    let computed: [[[Double]]]
    do {
      computed = try compute(read(partial, shape, isPartial: true)) { scores in
        latest = scores
        let start = ContinuousClock.now
        guard start >= next else { return }
        try Self.write(scores, to: partial)
        next = .now + (ContinuousClock.now - start) * 20
      }
    } catch {
      if let latest { try? Self.write(latest, to: partial) }
      throw error
    }
    try Self.write(computed, to: file)
    try? FileManager.default.removeItem(at: partial)
    // What is kept are floats: the same now as when they are read back.
    return computed.map { $0.map { $0.map { Double(Float($0)) } } }
  }

  private static func write(_ scores: [[[Double]]], to file: URL) throws {
    let shape = [scores.count, scores.first?.count ?? 0, scores.first?.first?.count ?? 0]
    try SafetensorsWriter.write(
      [
        .init(
          name: "scores", shape: shape,
          floats: scores.flatMap { $0.flatMap { $0.map { Float($0) } } })
      ], to: file)
  }

  /// Scores that an earlier run kept, when they have this shape; a part of them those of no more tracks.
  private func read(_ file: URL, _ shape: [Int], isPartial: Bool = false) -> [[[Double]]]? {
    var shape = shape
    if isPartial {
      guard let found = try? SafetensorsFile(url: file).tensors["scores"]?.shape, found.count == 3,
        (1...shape[2]).contains(found[2])
      else { return nil }
      shape[2] = found[2]
    }
    guard let store = try? TensorStore(file: file),
      let values = try? store.tensor("scores", shape: shape).floats()
    else { return nil }
    return (0..<shape[0]).map { row in
      (0..<shape[1]).map { choice in
        let start = (row * shape[1] + choice) * shape[2]
        return values[start..<start + shape[2]].map(Double.init)
      }
    }
  }
}
