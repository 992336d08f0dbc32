// Folders that stable-audio-tools' pre-encoding script writes: NAME.npy (latent, (C, T) floats) beside
// NAME.json (metadata, among it `padding_mask`, 1 where there is music).
//
// The NumPy format: "\x93NUMPY", version, header length, a Python dictionary as text, data.

import Foundation
import Models
import Reporting

/// Pre-encoded latents read as a catalogue; a track's id is its path below the folder without ".npy".
struct StableAudioFolder: TrackSource {
  let tracks: [CatalogueTrack]
  private let folder: URL
  private let ids: Set<String>

  init(folder: URL) throws {
    self.folder = folder
    let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String }
    let arrays = (names ?? []).filter { $0.hasSuffix(".npy") }.sorted()
    guard !arrays.isEmpty else {
      throw AttributionError.noCatalogue(
        folder: folder.path, reason: "it has neither catalogue.json nor *.npy")
    }
    tracks = arrays.map { name in
      let id = String(name.dropLast(4))
      let said = Self.metadata(folder.appendingPathComponent(id + ".json"))
      func text(_ fields: String...) -> String {
        printable(fields.lazy.compactMap { said[$0] as? String }.first ?? "")
      }
      return CatalogueTrack(
        id: id, title: text("title", "relpath", "path"), artist: text("artist"),
        licence: text("licence", "license"), tags: text("prompt", "tags"),
        seconds: (said["seconds_total"] as? NSNumber)?.doubleValue ?? 0)
    }
    ids = Set(tracks.map(\.id))
  }

  private static func metadata(_ file: URL) -> [String: Any] {
    guard let data = try? Data(contentsOf: file) else { return [:] }
    return (try? JSONSerialization.jsonObject(with: data)) as? [String: Any] ?? [:]
  }

  func has(_ id: String) -> Bool { ids.contains(id) }

  func bytes(_ id: String) throws -> Data {
    let file = folder.appendingPathComponent(id + ".npy")
    do { return try Data(contentsOf: file, options: .mappedIfSafe) } catch {
      throw AttributionError.badCatalogue(file: file.path, reason: "it cannot be read")
    }
  }

  func item(_ id: String) throws -> LossItem {
    let file = folder.appendingPathComponent(id + ".npy")
    let (shape, values) = try numpyFloats(try bytes(id), file: file.path)
    guard shape.count == 2 else {
      throw AttributionError.badCatalogue(
        file: file.path, reason: "its shape \(shape) is not (channels, frames)")
    }
    let said = Self.metadata(folder.appendingPathComponent(id + ".json"))
    var mask = (said["padding_mask"] as? [NSNumber])?.map { $0.doubleValue > 0 }
    if mask?.count != shape[1] { mask = nil }
    return LossItem(
      id: id, frames: shape[1], mask: mask,
      content: .latent(values, channels: shape[0], context: [], tokens: 0, global: []))
  }
}

/// The shape (one extent to four) and values of a NumPy array of half or single precision, row-major.
/// - Throws: `AttributionError.badCatalogue`.
func numpyFloats(_ data: Data, file: String) throws -> (shape: [Int], values: [Float]) {
  func bad(_ reason: String) -> AttributionError { .badCatalogue(file: file, reason: reason) }
  let bytes = [UInt8](data)
  guard bytes.count >= 12, bytes[0] == 0x93,
    String(decoding: bytes[1..<6], as: UTF8.self) == "NUMPY"
  else { throw bad("it is not a NumPy array") }
  let isLong = bytes[6] >= 2
  let length =
    isLong
    ? Int(bytes[8]) | Int(bytes[9]) << 8 | Int(bytes[10]) << 16 | Int(bytes[11]) << 24
    : Int(bytes[8]) | Int(bytes[9]) << 8
  let start = (isLong ? 12 : 10) + length
  guard start <= bytes.count else { throw bad("its header is cut off") }
  let header = String(decoding: bytes[(isLong ? 12 : 10)..<start], as: UTF8.self)
  guard header.contains("'fortran_order': False") else { throw bad("it is not row-major") }
  guard let open = header.range(of: "'shape': ("),
    let close = header[open.upperBound...].firstIndex(of: ")")
  else { throw bad("its header names no shape") }
  let shape = header[open.upperBound..<close].split(separator: ",").compactMap {
    Int($0.trimmingCharacters(in: .whitespaces))
  }
  guard !shape.isEmpty, shape.count <= 4, shape.allSatisfy({ $0 > 0 && $0 < 1 << 28 }),
    shape.reduce(1.0, { $0 * Double($1) }) < 0x1p40
  else { throw bad("its shape is \(shape)") }
  let count = shape.reduce(1, *)
  let half = header.contains("'<f2'")
  guard half || header.contains("'<f4'") else { throw bad("its numbers are not <f2 or <f4") }
  guard bytes.count - start == count * (half ? 2 : 4) else {
    throw bad("it holds \(bytes.count - start) bytes for \(count) numbers")
  }
  let values: [Float] = (0..<count).map { index in
    if half {
      let place = start + 2 * index
      return float(halfBits: UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8)
    }
    let place = start + 4 * index
    return Float(
      bitPattern: UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8
        | UInt32(bytes[place + 2]) << 16 | UInt32(bytes[place + 3]) << 24)
  }
  guard values.allSatisfy(\.isFinite) else { throw bad("it holds values that are not numbers") }
  return (shape, values)
}
