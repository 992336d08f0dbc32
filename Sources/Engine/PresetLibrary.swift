// Where bundles are looked for, which of several wins, and how one gets there.
//
// Search order: $CONTINUO_PRESET_PATH, $XDG_DATA_HOME/continuo/presets, $XDG_DATA_DIRS/…/continuo/presets, the
// repository's Presets/. A bundle in an earlier folder hides those of the same id in later ones; in one
// folder the highest version wins. Installed bundles are single zip files that appear by a rename, so
// that a crash leaves the old one whole.

package import Foundation
import Reporting

#if canImport(Glibc)
  import Glibc
#endif

/// The bundles of this machine.
package struct PresetLibrary: Sendable {
  /// Searched in this order.
  package var folders: [URL]
  /// Where `install` puts bundles.
  package var installFolder: URL

  package init(folders: [URL], installFolder: URL) {
    self.folders = folders
    self.installFolder = installFolder
  }

  /// The folders that the environment names.
  ///
  /// - Parameters:
  ///   - executable: path of the running program; the repository's `Presets/` is looked for above it.
  package init(
    environment: [String: String] = ProcessInfo.processInfo.environment,
    executable: String = CommandLine.arguments.first ?? ""
  ) {
    func split(_ text: String?) -> [String] {
      (text ?? "").split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
    }
    let home = environment["HOME"] ?? NSHomeDirectory()
    let dataHome = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    let ours = URL(fileURLWithPath: dataHome ?? home + "/.local/share")
      .appendingPathComponent("continuo/presets")
    var dataFolders = split(environment["XDG_DATA_DIRS"])
    if dataFolders.isEmpty { dataFolders = ["/usr/local/share", "/usr/share"] }
    folders =
      split(environment["CONTINUO_PRESET_PATH"]).map { URL(fileURLWithPath: $0) } + [ours]
      + dataFolders.map { URL(fileURLWithPath: $0).appendingPathComponent("continuo/presets") }
    installFolder = ours
    if let shipped = Self.shipped(executable: executable) { folders.append(shipped) }
  }

  /// A bundle that was found.
  package struct Found {
    package var url: URL
    /// What it holds, or why it cannot be used.
    package var bundle: Result<PresetBundle, any Error>
    /// The bundle of the same id that is used instead.
    package var shadowedBy: URL?
  }

  /// All bundles, those that win before those that they hide, in the order of the search.
  package func list() -> [Found] {
    var result: [Found] = []
    var winners: [String: URL] = [:]
    for folder in folders {
      let found = candidates(in: folder).map { url in
        Found(url: url, bundle: Result { try PresetBundle(at: url) })
      }
      let sorted = found.sorted { a, b in
        guard let x = try? a.bundle.get().manifest, let y = try? b.bundle.get().manifest else {
          return (try? a.bundle.get()) != nil
        }
        if x.id != y.id { return x.id < y.id }
        guard let v = PresetVersion(x.version), let w = PresetVersion(y.version), v != w else {
          return a.url.path < b.url.path
        }
        return v > w
      }
      for var entry in sorted {
        if let manifest = try? entry.bundle.get().manifest {
          if let winner = winners[manifest.id] {
            entry.shadowedBy = winner
          } else {
            winners[manifest.id] = entry.url
          }
        }
        result.append(entry)
      }
    }
    return result
  }

  /// The bundle that a name means: a path, `id`, `id@version`, or the last part of an id that no other
  /// bundle shares.
  /// - Throws: `PresetError`.
  package func find(_ name: String) throws -> PresetBundle {
    if name.contains("/") || name.hasSuffix(".continuo") || name == "." {
      return try PresetBundle(at: URL(fileURLWithPath: name))
    }
    let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
      .map(String.init)
    for entry in list() {
      guard let bundle = try? entry.bundle.get(), bundle.manifest.id == parts.first else {
        continue
      }
      if parts.count == 2 ? bundle.manifest.version == parts[1] : entry.shadowedBy == nil {
        return bundle
      }
    }
    if FileManager.default.fileExists(atPath: name) {
      return try PresetBundle(at: URL(fileURLWithPath: name))
    }
    if let short = shortNamed(parts[0]), parts.count == 1 { return short }
    throw PresetError.notFound(name: name, places: folders.map(\.path))
  }

  /// The bundle whose id ends with `.name`, where there is only one: "drums" for
  /// org.continuo.house.drums.
  private func shortNamed(_ name: String) -> PresetBundle? {
    let matching = list().filter { $0.shadowedBy == nil }.compactMap { try? $0.bundle.get() }
      .filter { $0.manifest.id.hasSuffix(".\(name)") }
    return matching.count == 1 ? matching[0] : nil
  }

  /// Checks a bundle and puts it into the install folder under its id and version; the same version is
  /// replaced.
  /// - Returns: the bundle and the file that it now lies in.
  /// - Throws: `PresetError`, `OutputError`.
  package func install(_ url: URL) throws -> (bundle: PresetBundle, file: URL) {
    let bundle = try PresetBundle(at: url)
    do {
      try FileManager.default.createDirectory(
        at: installFolder, withIntermediateDirectories: true)
    } catch {
      throw PresetError.cannotInstall(
        place: installFolder.path, reason: "the folder cannot be made")
    }
    removeLeftovers()
    let file = installFolder.appendingPathComponent("\(bundle.name).continuo")
    try AtomicFile.write(bundle.archive, to: file)
    return (bundle, file)
  }

  /// Removes an installed bundle: `id` (the version that wins) or `id@version`.
  /// - Returns: the file that is gone.
  /// - Throws: `PresetError.notFound`, `.notOurs`.
  package func remove(_ name: String) throws -> URL {
    let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
      .map(String.init)
    let matching = list().filter { entry in
      guard let manifest = try? entry.bundle.get().manifest else { return false }
      return manifest.id == parts.first && (parts.count == 1 || manifest.version == parts[1])
    }
    guard let first = matching.first else {
      throw PresetError.notFound(name: name, places: folders.map(\.path))
    }
    let installed = matching.first {
      $0.url.deletingLastPathComponent().standardizedFileURL.path
        == installFolder.standardizedFileURL.path && $0.url.pathExtension == "continuo"
    }
    guard let installed else {
      throw PresetError.notOurs(name: name, place: first.url.deletingLastPathComponent().path)
    }
    guard unsafe unlink(installed.url.path) == 0 else {
      throw PresetError.cannotInstall(
        place: installFolder.path, reason: unsafe String(cString: strerror(errno)))
    }
    return installed.url
  }

  private func candidates(in folder: URL) -> [URL] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().filter { !$0.hasPrefix(".") }.map(folder.appendingPathComponent).filter {
      $0.pathExtension == "continuo"
        || FileManager.default.fileExists(atPath: $0.appendingPathComponent("preset.json").path)
    }
  }

  /// Removes what installs left behind that were killed.
  private func removeLeftovers() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: installFolder.path)) ?? []
    for name in names where name.hasPrefix(".") && name.contains(".partial-") {
      // The name is ".RANDOM-PID.partial-FILE".
      let pid = name.dropFirst().prefix { $0 != "." }.split(separator: "-").last.flatMap {
        Int32($0)
      }
      if let pid, kill(pid, 0) != 0, errno == ESRCH {
        _ = unsafe unlink(installFolder.appendingPathComponent(name).path)
      }
    }
  }

  private static func shipped(executable: String) -> URL? {
    var folder = URL(fileURLWithPath: executable).resolvingSymlinksInPath()
    for _ in 0..<6 {
      folder.deleteLastPathComponent()
      let presets = folder.appendingPathComponent("Presets")
      let package = folder.appendingPathComponent("Package.swift")
      if FileManager.default.fileExists(atPath: presets.path),
        FileManager.default.fileExists(atPath: package.path)
      {
        return presets
      }
    }
    return nil
  }
}
