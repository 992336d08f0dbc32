// Where the committed test data lies.

package import Foundation

/// A file or folder below `Tests/Fixtures`.
package func fixture(_ path: String) -> URL {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures").appendingPathComponent(path)
}
