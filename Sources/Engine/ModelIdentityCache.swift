// Who the running model is, computed when somebody first asks.

package import Foundation
package import Models
import Synchronization

/// Remembers a model's identity. From any thread; those who ask meanwhile wait for the first one.
package final class ModelIdentityCache: Sendable {
  private let name: String
  private let config: LanguageModelConfig
  private let folder: URL
  private let known = Mutex<ModelIdentity?>(nil)

  /// - Parameters:
  ///   - name: what people call the model.
  ///   - config: its dimensions.
  ///   - folder: where its weights lie.
  package init(name: String, config: LanguageModelConfig, folder: URL) {
    self.name = name
    self.config = config
    self.folder = folder
  }

  /// The identity. The first call reads all weights: up to some seconds with large models.
  /// - Throws: `SafetensorsError` and others that reading weights may throw.
  package func get() throws -> ModelIdentity {
    try known.withLock { known in
      if let known { return known }
      let made = try ModelIdentity(name: name, config: config, folder: folder)
      known = made
      return made
    }
  }
}
