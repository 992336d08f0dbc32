// Model, catalogue and threads, loaded once for several attributions.

import Foundation
import Kernels
import Models
import Reporting

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
  private var codecVectors: [[Float]]?
  private var texts: [String: [Float]] = [:]

  /// - Parameter request: names model, catalogue, threads (0 for one per processor), memory, and whether
  ///   captions are heard; all requests that share this agree in them.
  /// - Parameter twins: tracks that are planted into the catalogue a second time.
  /// - Throws: what reading model and catalogue throws, `AttributionError.mismatch`, `.badSetting`.
  package init(_ request: AttributionRequest, twins: [String] = []) throws {
    let wanted = request.threads
    threads = wanted > 0 ? wanted : ProcessInfo.processInfo.activeProcessorCount
    hearsCaptions = request.hearsCaptions ?? false
    model = try AskedModel(
      folder: URL(fileURLWithPath: request.model), hearsText: hearsCaptions)
    let whole = try Catalogue(folder: URL(fileURLWithPath: request.catalogue))
    catalogue = twins.isEmpty ? whole : try whole.planting(twinsOf: twins)
    if hearsCaptions && model.music == nil {
      throw AttributionError.badSetting(
        name: "--captions", value: "on",
        expected: "off: a diffusion model hears the conditioning in its catalogue")
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

  private static func check(_ model: AskedModel, _ catalogue: Catalogue) throws {
    let needed: Catalogue.Kind = model.music == nil ? .latents : .codes
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

  /// The music of a track, heard with its tags when captions are.
  func item(_ id: String, in catalogue: Catalogue? = nil) throws -> LossItem {
    let source = catalogue ?? self.catalogue
    return try heard(try source.item(id), with: try source.track(id).tags)
  }

  /// An item with its text, when captions are heard.
  func heard(_ item: LossItem, with text: String?) throws -> LossItem {
    guard hearsCaptions, let music = model.music, let text, !text.isEmpty else { return item }
    var told = item
    if let known = texts[text] {
      told.text = known
      return told
    }
    let ids = try TextTokenizer(directory: model.folder).ids(of: text)
    guard !ids.isEmpty, ids.allSatisfy({ Int($0) < music.config.text.vocabulary }) else {
      throw AttributionError.badSetting(
        name: "the text", value: text, expected: "of words that the model's tokenizer knows")
    }
    let states = music.textEncoder.project(music.textEncoder.encode(ids, pool: pool), pool: pool)
    told.text = states.array()
    texts[text] = told.text
    return told
  }

  /// Codec features of every track, in the catalogue's order.
  package func trackFeatures() throws -> [[Float]] {
    if let codecVectors { return codecVectors }
    let features = FeatureExtractor(model: model, window: 1, pool: pool)
    let found = try catalogue.tracks.map { try features.codec(try catalogue.item($0.id)) }
    codecVectors = found
    return found
  }
}
