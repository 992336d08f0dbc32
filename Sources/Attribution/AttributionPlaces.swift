// Where jobs and cached results lie (XDG Base Directory Specification).

package import Foundation

package enum AttributionPlaces {
  /// The job store that commands and workers share: $XDG_STATE_HOME/continuo/attribution.sqlite.
  package static func store(_ environment: [String: String] = ProcessInfo.processInfo.environment)
    -> URL
  {
    folder("XDG_STATE_HOME", ".local/state", environment).appendingPathComponent(
      "attribution.sqlite")
  }

  /// Cached Fisher informations: $XDG_CACHE_HOME/continuo/fisher.
  package static func cache(_ environment: [String: String] = ProcessInfo.processInfo.environment)
    -> URL
  {
    folder("XDG_CACHE_HOME", ".cache", environment).appendingPathComponent(
      "fisher", isDirectory: true)
  }

  private static func folder(
    _ variable: String, _ fallback: String, _ environment: [String: String]
  )
    -> URL
  {
    let home = environment["HOME"] ?? FileManager.default.homeDirectoryForCurrentUser.path
    let base =
      environment[variable].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? home + "/" + fallback
    return URL(fileURLWithPath: base, isDirectory: true)
      .appendingPathComponent("continuo", isDirectory: true)
  }
}
