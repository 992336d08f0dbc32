// Whether a file can be written to a place, asked before hours of work and not after.

import Foundation
import Reporting

#if canImport(Glibc)
  import Glibc
#endif

enum OutputPlace {
  /// Checks that the folder is there and may be written to, and that the name is no folder's.
  /// - Throws: `CommandError.outputFolder`.
  static func check(_ url: URL, option: String) throws {
    func refuse(_ reason: String) -> CommandError {
      .outputFolder(option: option, path: url.path, reason: reason)
    }
    var status = stat()
    if unsafe stat(url.path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      throw refuse("it is a folder")
    }
    let folder = url.deletingLastPathComponent().path
    guard unsafe stat(folder, &status) == 0 else {
      throw refuse("the folder \(printable(folder)) does not exist")
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw refuse("\(printable(folder)) is no folder")
    }
    guard unsafe access(folder, W_OK | X_OK) == 0 else {
      throw refuse("the folder \(printable(folder)) may not be written to")
    }
  }

  /// Whether two paths name one file.
  static func same(_ one: URL, _ other: URL) -> Bool {
    one.resolvingSymlinksInPath().standardizedFileURL
      == other.resolvingSymlinksInPath().standardizedFileURL
  }
}
