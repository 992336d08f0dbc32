// Where a model lies: by name (shipped, or installed by the user or the system) or by path.
//
// A name is looked for among the shipped models, then in $XDG_DATA_HOME/continuo/models, then in
// continuo/models of each of $XDG_DATA_DIRS (XDG Base Directory Specification, with its defaults). What
// holds a "/" is a path, so ./house is the folder and house the model.

package import Foundation
package import Reporting

/// A model that cannot be found.
package enum ModelLocationError: Explained, Equatable {
  case unknownName(name: String, known: [String], userFolder: String)
  case noSuchFolder(path: String)
  case noModel(path: String)

  package var kind: FailureKind {
    switch self {
    case .noModel: .data
    case .unknownName, .noSuchFolder: .noInput
    }
  }
  package var problem: String {
    switch self {
    case .unknownName(let name, let known, _):
      "no model is called “\(name)”"
        + (known.isEmpty ? "" : " (known: \(known.joined(separator: ", ")))")
    case .noSuchFolder(let path): "\(path): no such folder"
    case .noModel(let path): "\(path) holds no config.json, so it is no model folder"
    }
  }
  package var remedy: String {
    switch self {
    case .unknownName(_, _, let folder):
      "give the path of a model folder, or put the folder into \(folder)"
    case .noSuchFolder: "check the path"
    case .noModel: "give a folder in the Hugging Face MusicGen layout"
    }
  }
}

/// A model folder and how it was found.
package struct ModelLocation: Sendable, Equatable {
  package enum Origin: String, Sendable { case shipped, installed, path }

  /// The name to show: the folder's.
  package let name: String
  /// The folder, with `config.json` in it.
  package let folder: URL
  package let origin: Origin

  /// Finds a model.
  /// - Parameters:
  ///   - text: a name, or a path.
  ///   - shipped: the folder that holds the shipped models.
  ///   - environment: where the XDG variables and HOME are read.
  /// - Throws: `ModelLocationError`.
  package static func find(
    _ text: String, shipped: URL,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> ModelLocation {
    guard !isPath(text) else {
      let folder = URL(fileURLWithPath: text, isDirectory: true).standardizedFileURL
      var isFolder: ObjCBool = false
      let exists = unsafe FileManager.default.fileExists(
        atPath: folder.path, isDirectory: &isFolder)
      guard exists, isFolder.boolValue else {
        throw ModelLocationError.noSuchFolder(path: text)
      }
      guard isModel(folder) else { throw ModelLocationError.noModel(path: text) }
      return ModelLocation(name: folder.lastPathComponent, folder: folder, origin: .path)
    }
    let known = all(shipped: shipped, environment: environment)
    guard let found = known.first(where: { $0.name == text }) else {
      throw ModelLocationError.unknownName(
        name: printable(text), known: known.map { printable($0.name) },
        userFolder: folders(environment)[0].path)
    }
    return found
  }

  /// Every model that has a name; of two with one name the first that `find` would meet.
  package static func all(
    shipped: URL, environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> [ModelLocation] {
    var found: [ModelLocation] = []
    func add(_ parent: URL, _ origin: Origin) {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
      for name in names.sorted() where !name.hasPrefix(".") {
        let folder = parent.appendingPathComponent(name, isDirectory: true)
        guard isModel(folder), !found.contains(where: { $0.name == name }) else { continue }
        found.append(ModelLocation(name: name, folder: folder, origin: origin))
      }
    }
    add(shipped, .shipped)
    for folder in folders(environment) { add(folder, .installed) }
    return found
  }

  private static func isPath(_ text: String) -> Bool {
    text.isEmpty || text.contains("/") || text == "." || text == ".."
  }

  private static func isModel(_ folder: URL) -> Bool {
    FileManager.default.fileExists(atPath: folder.appendingPathComponent("config.json").path)
  }

  /// The folders of installed models, the user's first.
  private static func folders(_ environment: [String: String]) -> [URL] {
    func absolute(_ name: String) -> String? {
      environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    let home = environment["HOME"] ?? FileManager.default.homeDirectoryForCurrentUser.path
    let user = absolute("XDG_DATA_HOME") ?? home + "/.local/share"
    let system = (environment["XDG_DATA_DIRS"] ?? "/usr/local/share:/usr/share")
      .split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
    return ([user] + system).map {
      URL(fileURLWithPath: $0, isDirectory: true).appendingPathComponent(
        "continuo/models", isDirectory: true)
    }
  }
}
