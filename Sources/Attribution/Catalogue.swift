// The training catalogue: what there is to credit.
//
// A folder with catalogue.json (one entry per track: id, title, artist, licence, tags, seconds; for
// another version of a track relative: {of: id, kind}) and
//   codes.safetensors    per track the tensor ID, integers (K, T): codes of the model's codec, or
//   latents.safetensors  per track the tensor ID, floats (C, T): latents of a diffusion model, and
//                        optionally ID.cross (S, width) and ID.global (width), its conditioning;
//   masks.safetensors    optional, per track the tensor ID, (T): 0 where the track is silent or padded. Where it
//                        is missing and a track's entry has activity (per group the steps in which it sounds),
//                        the track is silent where no group sounds.
// A folder of stable-audio-tools' pre-encoded *.npy + *.json is read as it is (StableAudioFolder).
// Source: CONTRACT "Catalogue".

internal import Crypto
package import Foundation
import Models
import Reporting

/// What is said about a track.
package struct CatalogueTrack: Sendable, Equatable, Codable {
  package var id: String
  package var title: String
  package var artist: String
  package var licence: String
  package var tags: String
  package var seconds: Double
  /// The track that this one is another version of, and in what it differs (mix, tempo, key …).
  package var relativeOf: String?
  package var relativeKind: String?

  package init(
    id: String, title: String, artist: String, licence: String, tags: String, seconds: Double,
    relativeOf: String? = nil, relativeKind: String? = nil
  ) {
    self.id = id
    self.title = title
    self.artist = artist
    self.licence = licence
    self.tags = tags
    self.seconds = seconds
    self.relativeOf = relativeOf
    self.relativeKind = relativeKind
  }

  /// What all versions of a song share: the id of its original.
  var song: String { relativeOf ?? id }
}

/// A catalogue on disk; tracks are read when they are asked for.
package final class Catalogue: Sendable {
  package enum Kind: String, Sendable, Codable { case codes, latents }

  package let folder: URL
  package let name: String
  package let kind: Kind
  package let tracks: [CatalogueTrack]
  /// Steps or latent frames per second, where the catalogue says so.
  package let stepsPerSecond: Double?
  private let source: any TrackSource
  private let places: [String: Int]

  /// Opens the catalogue in `folder`.
  /// - Throws: `AttributionError`, `SafetensorsError`.
  package init(folder: URL) throws {
    self.folder = folder
    let index = folder.appendingPathComponent("catalogue.json")
    if FileManager.default.fileExists(atPath: index.path) {
      let head = try CatalogueIndex(file: index)
      tracks = head.tracks
      name = head.name ?? folder.lastPathComponent
      stepsPerSecond = head.stepsPerSecond
      let tensors = try TensorTracks(folder: folder, sounding: head.sounding)
      kind = tensors.kind
      source = tensors
    } else {
      let found = try StableAudioFolder(folder: folder)
      tracks = found.tracks
      name = folder.lastPathComponent
      kind = .latents
      stepsPerSecond = nil
      source = found
    }
    var places: [String: Int] = [:]
    for (place, track) in tracks.enumerated() {
      guard places.updateValue(place, forKey: track.id) == nil else {
        throw AttributionError.badCatalogue(
          file: index.path, reason: "the id \(track.id) occurs twice")
      }
    }
    self.places = places
    for track in tracks where !source.has(track.id) {
      throw AttributionError.badCatalogue(
        file: folder.path, reason: "there are no data for the track \(track.id)")
    }
  }

  private init(_ other: Catalogue, twins: [CatalogueTrack], source: any TrackSource) {
    folder = other.folder
    name = other.name
    kind = other.kind
    stepsPerSecond = other.stepsPerSecond
    tracks = other.tracks + twins
    self.source = source
    places = Dictionary(
      tracks.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The catalogue with each of `ids` in it a second time, as the relative “ID (twin)” of kind twin. The
  /// music is the same, the draws are not: they follow from the id.
  /// - Throws: `AttributionError.noTrack`.
  package func planting(twinsOf ids: [String]) throws -> Catalogue {
    var originals: [String: String] = [:]
    let twins = try ids.map { id in
      var twin = try track(id)
      twin.id = id + " (twin)"
      twin.relativeOf = id
      twin.relativeKind = "twin"
      originals[twin.id] = id
      return twin
    }
    return Catalogue(self, twins: twins, source: TwinSource(base: source, originals: originals))
  }

  /// The entry of `id`.
  package func track(_ id: String) throws -> CatalogueTrack {
    guard let place = places[id] else {
      throw AttributionError.noTrack(id: id, catalogue: folder.path)
    }
    return tracks[place]
  }

  /// The music of `id`.
  package func item(_ id: String) throws -> LossItem {
    guard places[id] != nil else {
      throw AttributionError.noTrack(id: id, catalogue: folder.path)
    }
    return try source.item(id)
  }

  /// 64 hexadecimal digits over ids and music, in the order of the ids: the same for the same data.
  package func fingerprint() throws -> String {
    var hash = SHA256()
    for track in tracks.sorted(by: { $0.id < $1.id }) {
      hash.update(data: Data("\(track.id)\0".utf8))
      hash.update(data: try source.bytes(track.id))
    }
    return hexadecimal(hash.finalize())
  }
}

/// Where a catalogue's music is read from.
protocol TrackSource: Sendable {
  func has(_ id: String) -> Bool
  func item(_ id: String) throws -> LossItem
  func bytes(_ id: String) throws -> Data
}

/// A source that knows some tracks by two names.
private struct TwinSource: TrackSource {
  let base: any TrackSource
  let originals: [String: String]

  func has(_ id: String) -> Bool { base.has(originals[id] ?? id) }
  func bytes(_ id: String) throws -> Data { try base.bytes(originals[id] ?? id) }
  func item(_ id: String) throws -> LossItem {
    var item = try base.item(originals[id] ?? id)
    item.id = id
    return item
  }
}

/// Lower-case hexadecimal digits.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  bytes.map { byte in
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "0" + digits : digits
  }.joined()
}

/// `catalogue.json`.
private struct CatalogueIndex {
  var name: String?
  var stepsPerSecond: Double?
  var tracks: [CatalogueTrack] = []
  /// Steps in which any group of a track sounds, where its entry says so.
  var sounding: [String: [Range<Int>]] = [:]

  init(file: URL) throws {
    func bad(_ reason: String) -> AttributionError {
      .badCatalogue(file: file.path, reason: reason)
    }
    guard let data = try? Data(contentsOf: file), data.count <= 1 << 30,
      let json = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
    else { throw bad("it is not a JSON object") }
    if let version = json["version"] as? Int, version > 1 {
      throw AttributionError.newerCatalogue(file: file.path, version: version)
    }
    name = (json["name"] as? String).map { printable($0) }
    stepsPerSecond = (json["steps_per_second"] as? NSNumber)?.doubleValue
    guard let entries = json["tracks"] as? [[String: Any]], !entries.isEmpty else {
      throw bad("it lists no tracks")
    }
    for (place, entry) in entries.enumerated() {
      guard let id = entry["id"] as? String, !id.isEmpty, id.utf8.count <= 500 else {
        throw bad("track \(place) has no id")
      }
      func text(_ field: String) -> String {
        if let parts = entry[field] as? [String] { return printable(parts.joined(separator: ", ")) }
        return printable(entry[field] as? String ?? "")
      }
      let seconds = (entry["seconds"] as? NSNumber)?.doubleValue ?? 0
      let relative = entry["relative"] as? [String: Any]
      if let activity = entry["activity"] as? [String: [[Int]]] {
        sounding[id] = activity.values.flatMap { $0 }.compactMap {
          $0.count == 2 && $0[0] >= 0 && $0[0] < $0[1] ? $0[0]..<$0[1] : nil
        }
      }
      tracks.append(
        CatalogueTrack(
          id: id, title: text("title"), artist: text("artist"), licence: text("licence"),
          tags: text("tags"), seconds: seconds.isFinite ? seconds : 0,
          relativeOf: relative?["of"] as? String,
          relativeKind: (relative?["kind"] as? String).map { printable($0) }))
    }
  }
}

/// Codes or latents in a safetensors file beside the index.
private struct TensorTracks: TrackSource {
  let kind: Catalogue.Kind
  let store: TensorStore
  let masks: TensorStore?
  let sounding: [String: [Range<Int>]]

  init(folder: URL, sounding: [String: [Range<Int>]]) throws {
    self.sounding = sounding
    func existing(_ name: String) -> URL? {
      let file = folder.appendingPathComponent(name)
      return FileManager.default.fileExists(atPath: file.path) ? file : nil
    }
    if let file = existing("codes.safetensors") {
      kind = .codes
      store = try TensorStore(file: file)
    } else if let file = existing("latents.safetensors") {
      kind = .latents
      store = try TensorStore(file: file)
    } else {
      throw AttributionError.noCatalogue(
        folder: folder.path, reason: "it has neither codes.safetensors nor latents.safetensors")
    }
    masks = try existing("masks.safetensors").map { try TensorStore(file: $0) }
  }

  func has(_ id: String) -> Bool { store.tensors[id]?.shape.count == 2 }

  func bytes(_ id: String) throws -> Data {
    let tensor = try store.tensor(id)
    return unsafe tensor.bytes.withUnsafeBytes { unsafe Data($0) }
  }

  func item(_ id: String) throws -> LossItem {
    let tensor = try store.tensor(id)
    let frames = tensor.shape[1]
    guard frames > 0, tensor.shape[0] > 0 else {
      throw AttributionError.badCatalogue(file: store.place, reason: "the track \(id) is empty")
    }
    var mask: [Bool]?
    if let masks, masks.tensors[id] != nil {
      mask = try masks.tensor(id, shape: [frames]).integers().map { $0 != 0 }
    } else if let ranges = sounding[id], kind == .codes {
      var told = [Bool](repeating: false, count: frames)
      for range in ranges { for t in range.clamped(to: 0..<frames) { told[t] = true } }
      mask = told.contains(true) ? told : nil
    }
    switch kind {
    case .codes:
      return LossItem(
        id: id, frames: frames, mask: mask,
        content: .codes(try tensor.integers(), books: tensor.shape[0]))
    case .latents:
      let cross = store.tensors[id + ".cross"]
      let latent = try tensor.floats()
      guard latent.allSatisfy(\.isFinite) else {
        throw AttributionError.badCatalogue(
          file: store.place, reason: "the track \(id) holds values that are not numbers")
      }
      return LossItem(
        id: id, frames: frames, mask: mask,
        content: .latent(
          latent, channels: tensor.shape[0], context: try cross?.floats() ?? [],
          tokens: cross?.shape.first ?? 0,
          global: try store.tensors[id + ".global"]?.floats() ?? []))
    }
  }
}
