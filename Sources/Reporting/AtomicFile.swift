// Files that appear whole or not at all: written beside, synced, renamed.

package import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// What can go wrong while an output file is written.
package enum OutputError: Explained {
  case cannotCreate(path: String, reason: String)
  case writing(path: String, reason: String)

  package var kind: FailureKind {
    switch self {
    case .cannotCreate: .cannotCreate
    case .writing: .inputOutput
    }
  }
  package var problem: String {
    switch self {
    case .cannotCreate(let path, let reason): "cannot create \(path): \(reason)"
    case .writing(let path, let reason):
      "writing \(path) failed: \(reason); nothing was left behind"
    }
  }
  package var remedy: String {
    switch self {
    case .cannotCreate: "check that the folder exists and may be written to"
    case .writing: "free some space or choose another place"
    }
  }
}

/// Writes a file beside its final place and moves it there only when all of it is on disk.
package enum AtomicFile {
  /// Calls `body` with the path of a temporary file in the same folder; when it returns, syncs that
  /// file, gives it its final name and syncs the folder. When it throws, removes it.
  ///
  /// The temporary name keeps the extension, since libraries choose formats by it.
  /// - Throws: `OutputError`, or what `body` throws.
  package static func write<Result>(
    to destination: URL, _ body: (URL) throws -> Result
  ) throws -> Result {
    let folder = destination.deletingLastPathComponent()
    let temporary = temporaryPlace(for: destination)
    do {
      try create(temporary, for: destination)
      let result = try body(temporary)
      try sync(temporary, for: destination)
      guard unsafe rename(temporary.path, destination.path) == 0 else {
        throw OutputError.cannotCreate(path: destination.path, reason: lastError())
      }
      syncFolder(folder)
      return result
    } catch {
      _ = unsafe unlink(temporary.path)
      throw error
    }
  }

  /// A hidden name beside `destination` for what is not whole yet; tells the process that writes it.
  package static func temporaryPlace(for destination: URL) -> URL {
    destination.deletingLastPathComponent().appendingPathComponent(
      ".\(UInt64.random(in: 0...UInt64.max))-\(getpid()).partial-\(destination.lastPathComponent)")
  }

  /// Removes what processes that were killed while they wrote into `folder` left there: files and folders with
  /// names of `temporaryPlace` whose process is no more.
  /// - Returns: how many.
  @discardableResult
  package static func removeLeftovers(in folder: URL) -> Int {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.count { name in
      guard name.hasPrefix("."), let end = name.range(of: ".partial-")?.lowerBound else {
        return false
      }
      let numbers = name[name.index(after: name.startIndex)..<end].split(separator: "-")
      guard numbers.count == 2, UInt64(numbers[0]) != nil, let process = pid_t(numbers[1]),
        process > 0,
        kill(process, 0) != 0, errno == ESRCH
      else { return false }
      return (try? FileManager.default.removeItem(at: folder.appendingPathComponent(name))) != nil
    }
  }

  /// Writes `data` to `destination`, whole or not at all.
  package static func write(_ data: Data, to destination: URL) throws {
    try write(to: destination) { temporary in
      let handle = try FileHandle(forWritingTo: temporary)
      defer { try? handle.close() }
      do { try handle.write(contentsOf: data) } catch {
        throw OutputError.writing(path: destination.path, reason: lastError())
      }
    }
  }

  /// Makes an empty file. `FileManager.createFile` makes it under a name of its own first, which a process that is killed
  /// at that moment leaves behind and nobody would know for what it is.
  private static func create(_ file: URL, for destination: URL) throws {
    let descriptor = unsafe open(file.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw OutputError.cannotCreate(path: destination.path, reason: lastError())
    }
    close(descriptor)
  }

  private static func sync(_ file: URL, for destination: URL) throws {
    let descriptor = unsafe open(file.path, O_RDONLY)
    defer { if descriptor >= 0 { close(descriptor) } }
    guard descriptor >= 0, fsync(descriptor) == 0 else {
      throw OutputError.writing(path: destination.path, reason: lastError())
    }
  }

  private static func syncFolder(_ folder: URL) {
    let descriptor = unsafe open(folder.path.isEmpty ? "." : folder.path, O_RDONLY | O_DIRECTORY)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  private static func lastError() -> String {
    unsafe String(cString: strerror(errno))
  }
}
