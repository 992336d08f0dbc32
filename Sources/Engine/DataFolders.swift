// Where the daemon keeps what it is told to keep (XDG Base Directory Specification).

package import Foundation
import Reporting

/// The daemon's folders, and names that strangers may choose in them.
package struct DataFolders: Sendable {
  /// States and prompts lie below it; takes too, unless a folder for recording is given.
  package let data: URL
  package let configuration: URL

  package init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    let home = environment["HOME"] ?? NSHomeDirectory()
    func folder(_ variable: String, _ fallback: String) -> URL {
      let path = environment[variable].flatMap { $0.hasPrefix("/") ? $0 : nil }
      return URL(fileURLWithPath: path ?? home + "/" + fallback).appendingPathComponent("continuo")
    }
    data = folder("XDG_DATA_HOME", ".local/share")
    configuration = folder("XDG_CONFIG_HOME", ".config")
  }

  package init(data: URL, configuration: URL) {
    self.data = data
    self.configuration = configuration
  }

  package var states: URL { data.appendingPathComponent("states") }
  package var prompts: URL { data.appendingPathComponent("prompts") }
  package var takes: URL { data.appendingPathComponent("takes") }
  package var midiMap: URL { configuration.appendingPathComponent("midi.json") }

  /// A name as part of a path: letters, digits, dash, underscore, point, space; no leading point.
  /// - Throws: `ControlError.badName`.
  package static func checked(_ name: String) throws -> String {
    let allowed = name.unicodeScalars.allSatisfy {
      ($0.properties.isAlphabetic || ("0"..."9").contains(Character($0))
        || "-_. ".unicodeScalars.contains($0))
    }
    guard allowed, !name.isEmpty, !name.hasPrefix("."), name.utf8.count <= 128 else {
      throw ControlError.badName(printable(name))
    }
    return name
  }

  /// Makes a folder with its parents.
  /// - Throws: `ControlError.cannotCreate`.
  package static func make(_ folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw ControlError.cannotCreate(what: folder.path, reason: "the folder cannot be made")
    }
  }
}
