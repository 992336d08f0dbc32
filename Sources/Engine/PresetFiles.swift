// The files of a bundle in memory, taken from a folder or a zip under every rule for strangers' data.
//
// In: a path. Out: at most seven small files whose names are on a list. Nothing is written anywhere;
// sizes are counted while they grow, never believed. Refused: other names (so paths, too), links,
// folders, devices, names that occur twice, encryption, wrong sums, archives that grow without measure.

internal import CArchive
internal import Crypto
package import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// The bytes of a bundle's files by name.
package struct PresetFiles: Sendable, Equatable {
  /// Names that a bundle may hold, and how large each may be, in bytes.
  package static let limits: [String: Int] = [
    "preset.json": 256 << 10, "probes.safetensors": 64 << 20, "README.md": 256 << 10,
    "LICENSE": 256 << 10, "preview.flac": 16 << 20, "preview.ogg": 16 << 20,
    sums: 16 << 10,
  ]
  package static let sums = "SHA256SUMS"
  /// The largest archive, in bytes.
  package static let largestArchive = 100 << 20
  /// How many times its own size an archive may grow.
  package static let largestRatio = 100

  package var contents: [String: Data] = [:]

  package init(contents: [String: Data]) { self.contents = contents }

  /// Reads a folder or an archive.
  /// - Throws: `PresetError`.
  package init(at url: URL) throws {
    var status = stat()
    guard unsafe stat(url.path, &status) == 0 else {
      throw PresetError.cannotOpen(bundle: url.path, reason: Self.lastError())
    }
    if status.st_mode & S_IFMT == S_IFDIR {
      try self.init(directory: url)
    } else {
      let data = try Self.read(
        url, name: url.lastPathComponent, bundle: url.path, limit: Self.largestArchive,
        followLinks: true)
      try self.init(archive: data, bundle: url.path)
    }
  }

  /// Reads a folder; SHA256SUMS is checked when it is there.
  /// - Throws: `PresetError`.
  package init(directory: URL) throws {
    let bundle = directory.path
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: bundle) } catch {
      throw PresetError.cannotOpen(bundle: bundle, reason: "the folder cannot be listed")
    }
    for name in names.sorted() {
      guard let limit = Self.limits[name] else {
        throw PresetError.forbiddenName(bundle: bundle, name: name)
      }
      contents[name] = try Self.read(
        directory.appendingPathComponent(name), name: name, bundle: bundle, limit: limit,
        followLinks: false)
    }
    if contents[Self.sums] != nil { try checkSums(bundle: bundle) }
  }

  /// Reads a zip.
  /// - Parameter bundle: path or name, for messages.
  /// - Throws: `PresetError`.
  package init(archive data: Data, bundle: String) throws {
    guard data.count <= Self.largestArchive else {
      throw PresetError.tooLarge(bundle: bundle, name: "the archive", limit: Self.largestArchive)
    }
    guard data.starts(with: [0x50, 0x4B]) else {
      throw PresetError.notAnArchive(bundle: bundle, reason: "it is no zip file")
    }
    let reader = try ArchiveReader(data, bundle: bundle)
    var total = 0
    while let entry = try reader.next() {
      guard let name = entry.name, let limit = Self.limits[name] else {
        throw PresetError.forbiddenName(
          bundle: bundle, name: entry.name ?? "a name that is no text")
      }
      guard !entry.isLink else {
        throw PresetError.notAFile(bundle: bundle, name: name, what: "a link")
      }
      guard entry.isFile else {
        throw PresetError.notAFile(bundle: bundle, name: name, what: "a folder or a device")
      }
      guard !entry.isEncrypted else { throw PresetError.encrypted(bundle: bundle, name: name) }
      guard contents[name] == nil else { throw PresetError.duplicate(bundle: bundle, name: name) }
      var bytes = Data()
      try reader.read { chunk in
        total += chunk.count
        guard bytes.count + chunk.count <= limit else {
          throw PresetError.tooLarge(bundle: bundle, name: name, limit: limit)
        }
        guard total <= max(data.count, 4096) * Self.largestRatio else {
          throw PresetError.inflates(bundle: bundle, ratio: Self.largestRatio)
        }
        bytes.append(contentsOf: chunk)
      }
      contents[name] = bytes
    }
    guard contents[Self.sums] != nil else {
      throw PresetError.missingFile(bundle: bundle, name: Self.sums)
    }
    try checkSums(bundle: bundle)
  }

  /// SHA256SUMS as `sha256sum` writes it, names sorted, itself left out.
  package var sumsText: String {
    contents.filter { $0.key != Self.sums }.sorted { $0.key < $1.key }
      .map { "\(Self.digest($0.value))  \($0.key)\n" }.joined()
  }

  /// SHA-256 over `sumsText`: names the bundle's exact contents in takes and reports.
  package var digest: String { Self.digest(Data(sumsText.utf8)) }

  /// SHA-256 in hexadecimal digits.
  package static func digest(_ data: Data) -> String {
    SHA256.hash(data: data).map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  private func checkSums(bundle: String) throws {
    guard let text = String(validating: contents[Self.sums] ?? Data(), as: UTF8.self) else {
      throw PresetError.badSums(bundle: bundle, reason: "is not valid UTF-8")
    }
    var listed: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let digest = line.prefix(64)
      let rest = line.dropFirst(64)
      guard digest.utf8.count == 64, rest.hasPrefix("  ") || rest.hasPrefix(" *") else {
        throw PresetError.badSums(bundle: bundle, reason: "has a line that is not a sum and a name")
      }
      let name = String(rest.dropFirst(2))
      guard listed.updateValue(digest.lowercased(), forKey: name) == nil else {
        throw PresetError.badSums(bundle: bundle, reason: "names a file twice")
      }
    }
    for (name, data) in contents.sorted(by: { $0.key < $1.key }) where name != Self.sums {
      guard let digest = listed.removeValue(forKey: name) else {
        throw PresetError.badSums(bundle: bundle, reason: "does not cover \(name)")
      }
      guard digest == Self.digest(data) else {
        throw PresetError.wrongSum(bundle: bundle, name: name)
      }
    }
    if let missing = listed.keys.sorted().first {
      throw PresetError.missingFile(bundle: bundle, name: missing)
    }
  }

  /// Reads a plain file of at most `limit` bytes.
  private static func read(
    _ url: URL, name: String, bundle: String, limit: Int, followLinks: Bool
  ) throws -> Data {
    // Without waiting: a named pipe must not hold the program up before it is recognised.
    let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followLinks ? 0 : O_NOFOLLOW)
    let descriptor = unsafe open(url.path, flags)
    guard descriptor >= 0 else {
      if errno == ELOOP { throw PresetError.notAFile(bundle: bundle, name: name, what: "a link") }
      throw PresetError.cannotOpen(bundle: bundle, reason: "\(name): \(lastError())")
    }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    defer { try? handle.close() }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw PresetError.notAFile(bundle: bundle, name: name, what: "a folder or a device")
    }
    guard status.st_size <= limit else {
      throw PresetError.tooLarge(bundle: bundle, name: name, limit: limit)
    }
    let data: Data
    do { data = try handle.read(upToCount: limit + 1) ?? Data() } catch {
      throw PresetError.cannotOpen(bundle: bundle, reason: "\(name): \(lastError())")
    }
    guard data.count <= limit else {
      throw PresetError.tooLarge(bundle: bundle, name: name, limit: limit)
    }
    return data
  }

  private static func lastError() -> String { unsafe String(cString: strerror(errno)) }
}

/// One entry of an archive.
private struct ArchiveEntry {
  var name: String?
  var isFile: Bool
  var isLink: Bool
  var isEncrypted: Bool
}

/// Walks over the entries of a zip in memory.
///
/// Safe because the handle is private, made and freed here, and the bytes it reads from are copied into
/// memory that is freed after the handle.
@safe private final class ArchiveReader {
  private let handle: OpaquePointer
  private let memory: UnsafeMutableRawBufferPointer
  private let bundle: String
  private var buffer = [UInt8](repeating: 0, count: 64 << 10)

  init(_ data: Data, bundle: String) throws {
    guard let handle = unsafe archive_read_new() else {
      throw PresetError.notAnArchive(bundle: bundle, reason: "out of memory")
    }
    unsafe self.handle = handle
    unsafe memory = .allocate(byteCount: max(data.count, 1), alignment: 16)
    unsafe memory.copyBytes(from: data)
    self.bundle = bundle
    unsafe archive_read_support_format_zip_seekable(handle)
    guard unsafe archive_read_open_memory(handle, memory.baseAddress, data.count) == ARCHIVE_OK
    else { throw failure() }
  }

  deinit {
    unsafe archive_read_free(handle)
    unsafe memory.deallocate()
  }

  func next() throws -> ArchiveEntry? {
    var entry: OpaquePointer?
    let status = unsafe archive_read_next_header(handle, &entry)
    if status == ARCHIVE_EOF { return nil }
    guard status == ARCHIVE_OK, let entry = unsafe entry else { throw failure() }
    let type = unsafe archive_entry_filetype(entry)
    let isLink =
      unsafe archive_entry_symlink(entry) != nil || archive_entry_hardlink(entry) != nil
    return unsafe ArchiveEntry(
      name: archive_entry_pathname(entry).flatMap { unsafe String(validatingCString: $0) },
      isFile: type & 0o170000 == 0o100000,
      isLink: isLink || type & 0o170000 == 0o120000,
      isEncrypted: archive_entry_is_encrypted(entry) != 0)
  }

  /// Hands out the current entry's bytes in pieces of at most 64 KiB.
  func read(_ body: (ArraySlice<UInt8>) throws -> Void) throws {
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { buffer in
        unsafe archive_read_data(handle, buffer.baseAddress, buffer.count)
      }
      if count == 0 { return }
      guard count > 0 else { throw failure() }
      try body(buffer[..<count])
    }
  }

  private func failure() -> PresetError {
    let text = unsafe archive_error_string(handle).map { unsafe String(cString: $0) }
    return .notAnArchive(bundle: bundle, reason: text ?? "the zip is damaged")
  }
}
