// Builds a catalogue from a folder of sound files: every file through the model's codec.
//
// A file NAME.json beside NAME.wav may give title, artist, licence and tags; else the title is the
// name. Writes catalogue.json, codes.safetensors and masks.safetensors into the same or another folder.

import Audio
package import Foundation
package import Kernels
import Models
import Reporting

/// Encodes the sound files below a folder.
package struct CatalogueBuilder {
  private let model: AskedModel
  private let pool: ComputePool

  package init(model: AskedModel, pool: ComputePool) {
    self.model = model
    self.pool = pool
  }

  /// Files that are read.
  package static let extensions: Set<String> = [
    "wav", "flac", "ogg", "oga", "opus", "mp3", "aiff", "aif", "w64", "caf",
  ]

  /// - Parameters:
  ///   - out: the folder of the catalogue; may be `folder` itself.
  ///   - progress: called with the number of files done and of all.
  /// - Returns: how many tracks were written, and the files that could not be read, with the reason.
  /// - Throws: `AttributionError`, `OutputError`, what `progress` throws.
  package func build(
    _ folder: URL, name: String, into out: URL, progress: (Int, Int) throws -> Void
  ) throws -> (tracks: Int, refused: [(file: String, reason: String)]) {
    guard let music = model.music else {
      throw AttributionError.badSetting(
        name: "--model", value: model.name,
        expected: "a model with a codec: latents of a diffusion model come from its own tools")
    }
    let names =
      (FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? [])
      .filter { Self.extensions.contains(($0 as NSString).pathExtension.lowercased()) }.sorted()
    guard !names.isEmpty else {
      throw AttributionError.noCatalogue(folder: folder.path, reason: "it holds no sound files")
    }
    var entries: [[String: Any]] = []
    var codes: [SafetensorsWriter.Entry] = []
    var masks: [SafetensorsWriter.Entry] = []
    var refused: [(file: String, reason: String)] = []
    for (place, name) in names.enumerated() {
      try progress(place, names.count)
      let file = folder.appendingPathComponent(name)
      do {
        let piece = try Piece(path: file, model: model, pool: pool)
        guard case .codes(let values, let books) = piece.item.content else { continue }
        let id = (name as NSString).deletingPathExtension
        guard !codes.contains(where: { $0.name == id }) else {
          refused.append((name, "another file gave the id \(id)"))
          continue
        }
        codes.append(.init(name: id, shape: [books, piece.item.frames], integers: values))
        if let mask = piece.item.mask {
          masks.append(
            .init(
              name: id, type: .u8, shape: [mask.count], data: Data(mask.map { $0 ? 1 : 0 })))
        }
        entries.append(
          entry(id, file, seconds: Double(piece.item.frames) / model.stepsPerSecond))
      } catch let error as any Explained {
        refused.append((name, explanation(of: error)))
      }
    }
    guard !entries.isEmpty else {
      throw AttributionError.noCatalogue(
        folder: folder.path, reason: "none of its sound files can be read: \(refused[0].reason)")
    }
    try FileManager.default.createDirectory(at: out, withIntermediateDirectories: true)
    let head: [String: Any] = [
      "format": "continuo-catalogue", "version": 1, "name": name, "model": model.name,
      "model_fingerprint": model.fingerprint, "steps_per_second": model.stepsPerSecond,
      "books": music.config.decoder.codebooks, "cardinality": music.config.decoder.cardinality,
      "tracks": entries,
    ]
    try SafetensorsWriter.write(codes, to: out.appendingPathComponent("codes.safetensors"))
    try SafetensorsWriter.write(masks, to: out.appendingPathComponent("masks.safetensors"))
    try AtomicFile.write(
      try JSONSerialization.data(
        withJSONObject: head, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]),
      to: out.appendingPathComponent("catalogue.json"))
    return (entries.count, refused)
  }

  private func entry(_ id: String, _ file: URL, seconds: Double) -> [String: Any] {
    var entry: [String: Any] = [
      "id": id, "title": (id as NSString).lastPathComponent, "artist": "", "licence": "",
      "tags": "", "seconds": seconds,
    ]
    let beside = file.deletingPathExtension().appendingPathExtension("json")
    if let data = try? Data(contentsOf: beside),
      let said = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
    {
      for field in ["title", "artist", "licence", "tags"] {
        if let text = said[field] as? String { entry[field] = printable(text) }
      }
    }
    return entry
  }
}
