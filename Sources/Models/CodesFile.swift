// Codes of music on disk: `codes.safetensors` with one integer tensor `codes` (K, T).
//
// K codebooks, T frames of 1/50 s; for stereo K = 8 in the order L1 R1 L2 R2 …. The layout is that of
// transformers' EnCodec (ours: the file around it). Metadata says which model, seed and prompt made them.
// A take's file has (T, K), as it was played; both are read, told apart by the K that is asked for.

package import Foundation
package import Reporting

/// A file of codes that cannot be used.
package enum CodesFileError: Explained, Equatable {
  case wrongShape(file: String, shape: [Int])
  case wrongCodebooks(file: String, found: Int, expected: Int)
  case outOfRange(file: String, code: Int32, frame: Int, codebook: Int, cardinality: Int)

  package var kind: FailureKind { .data }
  package var problem: String {
    switch self {
    case .wrongShape(let file, let shape):
      "\(file): tensor codes has shape \(shape), but (codebooks, frames) is needed"
    case .wrongCodebooks(let file, let found, let expected):
      "\(file) has \(found) codebooks, the model has \(expected)"
    case .outOfRange(let file, let code, let frame, let codebook, let cardinality):
      "\(file): code \(code) of frame \(frame), codebook \(codebook) is outside 0 … \(cardinality - 1)"
    }
  }
  package var remedy: String { "use codes that were made with this model" }
}

/// Codes in memory, and their file.
package struct CodesFile: Sendable, Equatable {
  /// K.
  package var codebooks: Int
  /// The codes of one frame side by side.  // (T, K)
  package var codes: [Int32]
  /// What is said about them.
  package var metadata: [String: String]

  /// T.
  package var frames: Int { codes.count / max(codebooks, 1) }

  /// - Parameter codes: whole frames.  // (T, K)
  package init(codes: [Int32], codebooks: Int, metadata: [String: String] = [:]) {
    precondition(codebooks > 0 && codes.count % codebooks == 0)
    self.codes = codes
    self.codebooks = codebooks
    self.metadata = metadata
  }

  /// Reads a file.
  /// - Parameters:
  ///   - codebooks: K that it must have; nil for any.
  ///   - cardinality: codes must be below; nil for no check.
  /// - Throws: `SafetensorsError`, `CodesFileError`.
  package init(contentsOf url: URL, codebooks: Int? = nil, cardinality: Int? = nil) throws {
    let file = try SafetensorsFile(url: url)
    guard let tensor = file.tensors["codes"] else {
      throw SafetensorsError.missing(tensor: "codes", place: url.path)
    }
    guard tensor.shape.count == 2, tensor.shape.contains(where: { (1...64).contains($0) }) else {
      throw CodesFileError.wrongShape(file: url.path, shape: tensor.shape)
    }
    let isAsPlayed =
      codebooks.map { tensor.shape[0] != $0 && tensor.shape[1] == $0 } ?? false
    let (K, T) =
      isAsPlayed ? (tensor.shape[1], tensor.shape[0]) : (tensor.shape[0], tensor.shape[1])
    if let codebooks, codebooks != K {
      throw CodesFileError.wrongCodebooks(file: url.path, found: K, expected: codebooks)
    }
    guard (1...64).contains(K) else {
      throw CodesFileError.wrongShape(file: url.path, shape: tensor.shape)
    }
    let stored = try tensor.integers()  // (K, T), or (T, K) as it was played
    var codes = [Int32](repeating: 0, count: stored.count)
    for k in 0..<K {
      for t in 0..<T {
        let code = stored[isAsPlayed ? t * K + k : k * T + t]
        if code < 0 || code >= cardinality ?? .max {
          throw CodesFileError.outOfRange(
            file: url.path, code: code, frame: t, codebook: k, cardinality: cardinality ?? .max)
        }
        codes[t * K + k] = code
      }
    }
    self.init(codes: codes, codebooks: K, metadata: file.metadata)
  }

  /// Writes the file, whole or not at all.
  /// - Throws: `OutputError`.
  package func write(to url: URL) throws {
    var stored = [Int32](repeating: 0, count: codes.count)  // (K, T)
    for t in 0..<frames {
      for k in 0..<codebooks { stored[k * frames + t] = codes[t * codebooks + k] }
    }
    try SafetensorsWriter.write(
      [.init(name: "codes", shape: [codebooks, frames], integers: stored)], metadata: metadata,
      to: url)
  }
}
