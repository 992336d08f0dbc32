// Vectors that another program made of the tracks (CLAP, MERT and the like), one per track.
//
// A safetensors file with a tensor per id, or a folder with ID.npy each; any shape, read row after row. The
// piece's own vector is named by its id when it is a track of the catalogue, else "piece".

package import Foundation
import Models

/// Supplied embeddings. Safe to share between threads.
package struct Embeddings: Sendable {
  private enum Source: Sendable {
    case tensors(TensorStore)
    case arrays(URL)
  }

  private let source: Source
  private let place: String

  /// The name of the vector of a piece that is no track.
  package static let piece = "piece"

  /// - Throws: `SafetensorsError`, `AttributionError.badEmbeddings`.
  package init(contentsOf url: URL) throws {
    place = url.path
    var isFolder: ObjCBool = false
    guard unsafe FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw AttributionError.badEmbeddings(file: url.path, reason: "there is no such file")
    }
    source = isFolder.boolValue ? .arrays(url) : .tensors(try TensorStore(file: url))
  }

  /// The vector of `id`: at least one number, all finite.
  /// - Throws: `AttributionError.badEmbeddings`.
  package func vector(_ id: String) throws -> [Float] {
    func bad(_ reason: String) -> AttributionError { .badEmbeddings(file: place, reason: reason) }
    let values: [Float]
    switch source {
    case .tensors(let store):
      guard store.tensors[id] != nil else { throw bad("it has no vector for “\(id)”") }
      values = try store.tensor(id).floats()
    case .arrays(let folder):
      let file = folder.appendingPathComponent(id + ".npy")
      guard let data = try? Data(contentsOf: file) else { throw bad("it has no \(id).npy") }
      values = try numpyFloats(data, file: file.path).values
    }
    guard !values.isEmpty, values.allSatisfy(\.isFinite) else {
      throw bad("the vector of “\(id)” is empty or holds values that are not numbers")
    }
    return values
  }

  /// Vectors of the piece and of every track, all of one length.
  /// - Throws: `AttributionError.badEmbeddings`.
  package func vectors(piece: String, tracks: [String]) throws -> (
    piece: [Float], tracks: [[Float]]
  ) {
    let own = try vector(piece)
    let others = try tracks.map { try vector($0) }
    if let odd = others.firstIndex(where: { $0.count != own.count }) {
      throw AttributionError.badEmbeddings(
        file: place,
        reason: "“\(tracks[odd])” has \(others[odd].count) numbers, “\(piece)” \(own.count)")
    }
    return (own, others)
  }
}
