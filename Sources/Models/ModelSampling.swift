// How a model's music is drawn where nobody says otherwise: sampling.json in its folder.
//
// Published models have no such file and begin without; a model too small to keep a pulse names the recall that was
// chosen on validation songs (`continuo evaluate house --recall`). Source: ours.

package import Foundation
package import Reporting

/// A sampling.json that cannot be used.
package enum ModelSamplingError: Explained {
  case unreadable(file: String, reason: String)

  package var kind: FailureKind { .data }
  package var problem: String {
    switch self {
    case .unreadable(let file, let reason):
      "\(printable(file)) names no way of sampling: \(printable(reason))"
    }
  }
  package var remedy: String { "correct it, such as {\"recall\": 12}, or take the file away" }
}

/// What a model's folder asks for.
package struct ModelSampling: Sendable, Equatable {
  /// The file's name in a model's folder.
  package static let fileName = "sampling.json"
  /// What recall may be, in nats.
  package static let recalls: ClosedRange<Float> = 0...20
  /// The largest such file.
  private static let fileLimit = 64 * 1024

  /// Nats that the codes of the prompt's last bars are likelier by; 0 where nothing is said.
  package var recall: Float = 0

  private struct Content: Decodable {
    var recall: Float?
  }

  /// What the folder says.
  /// - Throws: `ModelSamplingError` for a file that is there and makes no sense.
  package init(folder: URL) throws {
    let file = folder.appendingPathComponent(Self.fileName)
    guard FileManager.default.fileExists(atPath: file.path) else { return }
    func failure(_ reason: String) -> ModelSamplingError {
      .unreadable(file: file.path, reason: reason)
    }
    guard let data = try? Data(contentsOf: file), data.count <= Self.fileLimit else {
      throw failure("it may not be read, or is larger than \(Self.fileLimit) bytes")
    }
    guard let content = try? JSONDecoder().decode(Content.self, from: data) else {
      throw failure("it is no object with a number “recall”")
    }
    recall = content.recall ?? 0
    guard Self.recalls.contains(recall) else { throw failure("recall is 0 to 20") }
  }
}
