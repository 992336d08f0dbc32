// A MusicGen checkpoint: the networks and how they fit together.

package import Foundation

/// The networks of one checkpoint, loaded from a folder in the Hugging Face layout.
package final class MusicGen: Sendable {
  package let folder: URL
  package let config: MusicGenConfig
  package let languageModel: LanguageModel
  package let textEncoder: TextEncoder

  /// Loads `config.json` and `model.safetensors` (or shards).
  ///
  /// Float32 weights are mapped, not copied.
  /// - Throws: `ModelError`, `SafetensorsError`.
  package init(folder: URL) throws {
    self.folder = folder
    config = try MusicGenConfig(folder: folder)
    let store = try TensorStore(directory: folder)
    languageModel = try LanguageModel(config: config.decoder, store: store)
    textEncoder = try TextEncoder(
      config: config.text, outputWidth: config.decoder.hidden, store: store)
  }
}
