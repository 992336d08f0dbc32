// A tiny diffusion model and a catalogue of latents for it, on disk, for tests of whole runs.

import Foundation
import Kernels
import Models
import TestSupport

@testable import Attribution

/// A folder with a model, a catalogue of `tracks` tracks (the last two are the same music), a job store
/// and a cache.
struct TinyDiffusion {
  let folder: TemporaryFolder
  var model: URL { folder.file("model") }
  var catalogue: URL { folder.file("catalogue") }

  init(tracks: Int = 9) throws {
    folder = try TemporaryFolder()
    let files = FileManager.default
    try files.createDirectory(at: model, withIntermediateDirectories: true)
    try files.createDirectory(at: catalogue, withIntermediateDirectories: true)
    for (source, name) in [("json", "dit.json"), ("safetensors", "dit.safetensors")] {
      try files.copyItem(
        at: fixture("attribution/diffusion_prepend.\(source)"),
        to: model.appendingPathComponent(name))
    }
    var random = TestRandom(seed: 7)
    var entries: [SafetensorsWriter.Entry] = []
    var listed: [[String: Any]] = []
    for index in 0..<tracks {
      let latent = index == tracks - 1 ? nil : random.normal(4 * 20)
      entries.append(
        index == tracks - 1
          ? .init(
            name: Self.id(index), type: .f32, shape: [4, 20],
            data: entries[index - 1].data)
          : .init(name: Self.id(index), shape: [4, 20], floats: latent ?? []))
      listed.append([
        "id": Self.id(index), "title": "Track <\(index)>", "artist": "=A & B",
        "licence": "CC0", "tags": "", "seconds": 2,
      ])
    }
    try SafetensorsWriter.write(
      entries, to: catalogue.appendingPathComponent("latents.safetensors"))
    let head: [String: Any] = [
      "format": "continuo-catalogue", "version": 1, "name": "Tiny", "tracks": listed,
    ]
    try JSONSerialization.data(withJSONObject: head).write(
      to: catalogue.appendingPathComponent("catalogue.json"))
  }

  static func id(_ index: Int) -> String { "track-\(index)" }

  /// A request for a track of the catalogue.
  func request(track: Int = 0, out: String = "out") -> AttributionRequest {
    var request = AttributionRequest(
      model: model.path, catalogue: catalogue.path, piece: Self.id(track),
      out: folder.file(out).path)
    request.isTrack = true
    request.pieceDraws = 8
    request.trackDraws = 8
    request.windowSeconds = 0.3
    request.fisherTracks = 5
    request.threads = 2
    request.batch = 4
    request.unlearning.rise = 0.02
    return request
  }

  func store(_ name: String) throws -> JobStore { try JobStore(file: folder.file(name)) }

  /// The main ranking of a request, with a store and cache of its own.
  func rank(_ request: AttributionRequest, store name: String) throws -> Ranking {
    try AttributionRun(
      request, store: try store(name), cache: folder.file(name + "-cache")
    ) { _ in }.run()[0]
  }

  /// The model's losses.
  func losses() throws -> LossModel { try AskedModel(folder: model).loss }
}
