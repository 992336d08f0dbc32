// Model, catalogue and threads, loaded once for several attributions.

import Foundation
import Kernels
import Models
import Reporting

/// Activations of tracks, which contexts with and without twins share. Used from one thread.
private final class ActivationCache {
  var vectors: [String: [Float]] = [:]
}

/// What several requests about one model and one catalogue share. Used from one thread.
package final class AttributionContext {
  package let model: AskedModel
  package let catalogue: Catalogue
  /// The catalogue's fingerprint.
  package let print: String
  let threads: Int
  let pool: ComputePool
  let runner: LossRunner
  private let hearsCaptions: Bool
  private let windowSeconds: Double
  private var codecVectors: [[Float]]?
  private let activations: ActivationCache
  private var texts: [String: [Float]] = [:]
  private var tokenizer: TextTokenizer?

  /// - Parameters:
  ///   - request: names model, companion, catalogue, threads (0 for one per processor), window, memory, and
  ///     whether captions are heard; all requests that share this agree in them.
  /// - Throws: what reading model and catalogue throws, `AttributionError.mismatch`, `.badSetting`.
  package init(_ request: AttributionRequest) throws {
    let wanted = request.threads
    threads = wanted > 0 ? wanted : ProcessInfo.processInfo.activeProcessorCount
    hearsCaptions = request.hearsCaptions ?? false
    windowSeconds = request.windowSeconds
    activations = ActivationCache()
    catalogue = try Catalogue(folder: URL(fileURLWithPath: request.catalogue))
    model = try AskedModel(
      folder: URL(fileURLWithPath: request.model), hearsText: hearsCaptions,
      companion: catalogue.kind == .codes ? request.companion.map { URL(fileURLWithPath: $0) } : nil
    )
    if hearsCaptions && model.music == nil {
      throw AttributionError.badSetting(
        name: "--captions", value: "on",
        expected: "off: a diffusion model hears its catalogue's tags or conditioning always")
    }
    pool = ComputePool(threads: self.threads)
    try Self.check(model, catalogue)
    print = try catalogue.fingerprint()
    let frames = max(1, Int((request.windowSeconds * model.stepsPerSecond).rounded()))
    runner = LossRunner(
      model.loss, threads: threads,
      keepsLayers: try MemoryBudget.keepsLayers(
        model.loss, frames: frames, tokens: hearsCaptions || model.music == nil ? Self.tokens : 0,
        threads: threads, megabytes: request.memory))
  }

  /// The same with each of these tracks in the catalogue a second time; what is computed is shared.
  /// - Throws: `AttributionError.noTrack`.
  func planting(twinsOf ids: [String]) throws -> AttributionContext {
    try AttributionContext(self, try catalogue.planting(twinsOf: ids), try trackFeatures())
  }

  private init(_ other: AttributionContext, _ catalogue: Catalogue, _ features: [[Float]]) throws {
    model = other.model
    self.catalogue = catalogue
    print = try catalogue.fingerprint()
    threads = other.threads
    pool = other.pool
    runner = other.runner
    hearsCaptions = other.hearsCaptions
    windowSeconds = other.windowSeconds
    activations = other.activations
    let places = Dictionary(
      zip(other.catalogue.tracks.map(\.id), features), uniquingKeysWith: { first, _ in first })
    codecVectors = catalogue.tracks.compactMap {
      places[$0.id] ?? $0.relativeOf.flatMap { places[$0] }
    }
  }

  private static func check(_ model: AskedModel, _ catalogue: Catalogue) throws {
    let needed: Catalogue.Kind = model.listener == nil ? .latents : .codes
    guard catalogue.kind == needed else {
      throw AttributionError.mismatch(
        catalogue: catalogue.folder.path, model: model.name,
        reason: "it holds \(catalogue.kind.rawValue), a \(model.family) needs \(needed.rawValue)")
    }
    if let rate = catalogue.stepsPerSecond, rate != model.stepsPerSecond {
      throw AttributionError.mismatch(
        catalogue: catalogue.folder.path, model: model.name,
        reason: "it has \(rate) steps per second, the model \(model.stepsPerSecond)")
    }
  }

  /// Text positions that memory is planned for.
  private static let tokens = 48

  /// The music of a track as the model hears it: with its tags, when captions are heard or the model is a
  /// diffusion model that reads codes.
  func item(_ id: String, in catalogue: Catalogue? = nil) throws -> LossItem {
    let source = catalogue ?? self.catalogue
    return try heard(try source.item(id), with: try source.track(id).tags)
  }

  /// An item as the model hears it, with its text when it listens to texts.
  func heard(_ item: LossItem, with text: String?) throws -> LossItem {
    let text = text ?? ""
    if let codes = model.codes {
      let latents = try codes.heard(item, seconds: windowSeconds)
      if text.isEmpty { return latents }
      return codes.told(latents, ids: try ids(of: text, codes.companion), pool: pool)
    }
    guard hearsCaptions, let music = model.music, !text.isEmpty else { return item }
    var told = item
    if let known = texts[text] {
      told.text = known
      return told
    }
    let ids = try ids(of: text, music)
    let states = music.textEncoder.project(music.textEncoder.encode(ids, pool: pool), pool: pool)
    told.text = states.array()
    texts[text] = told.text
    return told
  }

  /// The ids of a text, all known to the text encoder of `music`.
  private func ids(of text: String, _ music: MusicGen) throws -> [Int32] {
    let reader = try tokenizer ?? TextTokenizer(directory: music.folder)
    tokenizer = reader
    let ids = try reader.ids(of: text)
    guard !ids.isEmpty, ids.allSatisfy({ Int($0) < music.config.text.vocabulary }) else {
      throw AttributionError.badSetting(
        name: "the text", value: text, expected: "of words that the model's tokenizer knows")
    }
    return ids
  }

  /// Who is asked: the model, and by whose codec it hears codes.
  var asked: String {
    model.fingerprint
      + (model.codes.map { " by \(ModelFingerprint.compute($0.companion.tensors))" } ?? "")
  }

  /// The Fisher information of `layers` over tracks that are spread evenly over the catalogue, so that no
  /// part of it is left out.
  /// - Parameter progress: called with the number of tracks done; throws to stop.
  func fisherInformation(
    _ request: AttributionRequest, layers: LayerChoice, cache: URL,
    progress: (Int) throws -> Void
  ) throws -> FisherInformation {
    let count = min(request.fisherTracks, catalogue.tracks.count)
    let ids = (0..<count).map { catalogue.tracks[$0 * catalogue.tracks.count / count].id }
    let window = max(1, Int((request.windowSeconds * model.stepsPerSecond).rounded()))
    let estimate = FisherEstimate(
      runner: runner, layers: layers,
      plan: request.plan(draws: request.fisherDraws, window: window), cache: cache,
      identity: "\(asked) \(print) \(count)" + (hearsCaptions ? " captions" : ""))
    return try estimate.compute(ids: ids, item: { try item($0) }, progress: progress)
  }

  /// Codec features of every track, in the catalogue's order.
  package func trackFeatures() throws -> [[Float]] {
    if let codecVectors { return codecVectors }
    let features = FeatureExtractor(model: model, window: 1, pool: pool)
    let found = try catalogue.tracks.map {
      try features.codec(try heard(try catalogue.item($0.id), with: nil))
    }
    codecVectors = found
    return found
  }

  /// Activations of a track, kept for the next request.
  func trackActivations(_ id: String, _ features: FeatureExtractor) throws -> [Float] {
    if let known = activations.vectors[id] { return known }
    let found = try features.activations(try heard(try catalogue.item(id), with: nil))
    activations.vectors[id] = found
    return found
  }
}
