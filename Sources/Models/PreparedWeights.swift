// The language model's matrices in one storage format, in one file, in the order in which they are read.
//
// File: 8 bytes "CONTINUO", a little-endian UInt32 version, a little-endian UInt32 length of the JSON
// header, the header, zeros up to a multiple of 4096, then the matrices, each at a multiple of 4096. The
// header names the checkpoint's fingerprint, the layout version, and for every matrix its layout, place
// and SHA-256. What does not match in every respect is not used. Format and layout are ours.

internal import Crypto
package import Foundation
package import Kernels
package import Reporting

#if canImport(Glibc)
  import Glibc
#endif

/// Why a file of prepared weights cannot be used, or made.
package enum PreparedWeightsError: Explained, Equatable {
  case unreadable(file: String, reason: String)
  case damaged(file: String, reason: String)
  case stale(file: String, reason: String)
  case missing(file: String, matrix: String)

  package var kind: FailureKind {
    if case .unreadable = self { return .noInput }
    return .data
  }
  package var problem: String {
    switch self {
    case .unreadable(let file, let reason): "cannot read prepared weights \(file): \(reason)"
    case .damaged(let file, let reason): "prepared weights \(file) are damaged: \(reason)"
    case .stale(let file, let reason): "prepared weights \(file) do not fit: \(reason)"
    case .missing(let file, let matrix): "prepared weights \(file) lack \(printable(matrix))"
    }
  }
  package var remedy: String { "make them again with continuo model prepare" }
}

/// Matrices of one checkpoint in one format, in memory.
package struct PreparedWeights: Sendable {
  package static let version: UInt32 = 1

  /// The format that was asked for. The output heads are stored in 8 bits where it is 4.
  package let format: WeightFormat
  /// `ModelFingerprint` of the checkpoint.
  package let fingerprint: String
  /// Where they came from, for messages.
  package let place: String
  /// All bytes of weights.
  package var bytes: Int { buffer.bytes }

  private let buffer: RawBuffer
  private let entries: [String: Entry]

  private struct Entry: Codable, Sendable {
    var name: String
    var layout: WeightLayout
    var offset: Int
    var digest: String
  }

  private struct Header: Codable {
    var fingerprint: String
    var format: WeightFormat
    var layoutVersion: Int
    var bytes: Int
    var matrices: [Entry]
  }

  /// Converts the matrices of a checkpoint.
  ///
  /// - Parameters:
  ///   - fingerprint: `ModelFingerprint.compute(store)`.
  ///   - progress: called with the share that is done, 0 … 1.
  /// - Throws: `SafetensorsError` naming the tensor.
  package init(
    converting store: TensorStore, config: LanguageModelConfig, to format: WeightFormat,
    fingerprint: String, pool: ComputePool, progress: (Double) -> Void = { _ in }
  ) throws {
    let list = LanguageModel.matrices(of: config)
    var offset = 0
    var planned: [Entry] = []
    for (name, rows, columns) in list {
      let layout = WeightLayout(
        rows: rows, columns: columns, format: Self.stored(name, as: format))
      planned.append(Entry(name: name, layout: layout, offset: offset, digest: ""))
      offset += Self.padded(layout.bytes)
    }
    let buffer = RawBuffer(bytes: offset)
    for (index, entry) in planned.enumerated() {
      let source = try WeightMatrix.load(
        entry.name, rows: entry.layout.rows, columns: entry.layout.columns, from: store)
      WeightMatrix.convert(to: entry.layout, in: buffer, offset: entry.offset, pool: pool) {
        source.decode(row: $0, into: &$1)
      }
      store.tensors[entry.name]?.releasePages()
      progress(Double(index + 1) / Double(planned.count))
    }
    let digests = Self.digests(of: planned, in: buffer, pool: pool)
    for index in planned.indices { planned[index].digest = digests[index] }
    self.format = format
    self.fingerprint = fingerprint
    place = store.place
    self.buffer = buffer
    entries = Dictionary(uniqueKeysWithValues: planned.map { ($0.name, $0) })
  }

  /// Reads a file and checks all of it.
  ///
  /// The file is read into memory with large pages, which is worth more than mapping it: a step reads
  /// every byte.
  /// - Parameters:
  ///   - fingerprint: of the checkpoint that they must belong to.
  ///   - format: that they must have.
  /// - Throws: `PreparedWeightsError`.
  package init(
    file: URL, fingerprint: String, format: WeightFormat, config: LanguageModelConfig,
    pool: ComputePool
  ) throws {
    let place = file.path
    let descriptor = unsafe open(place, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw PreparedWeightsError.unreadable(
        file: place, reason: unsafe String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    func damaged(_ reason: String) -> PreparedWeightsError { .damaged(file: place, reason: reason) }
    func stale(_ reason: String) -> PreparedWeightsError { .stale(file: place, reason: reason) }
    func bytes(_ count: Int, at offset: Int) throws -> [UInt8] {
      var result = [UInt8](repeating: 0, count: count)
      let got = unsafe result.withUnsafeMutableBytes {
        unsafe pread(descriptor, $0.baseAddress, count, off_t(offset))
      }
      guard got == count else { throw damaged("it ends early") }
      return result
    }
    let start = try bytes(16, at: 0)
    guard start.prefix(8).elementsEqual("CONTINUO".utf8) else {
      throw damaged("it is no such file")
    }
    func word(_ at: Int) -> UInt32 {
      start[at..<at + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    guard word(8) == Self.version else { throw stale("version \(word(8)), not \(Self.version)") }
    let length = Int(word(12))
    guard length <= 16 << 20 else { throw damaged("its header has \(length) bytes") }
    guard
      let header = try? JSONDecoder().decode(Header.self, from: Data(try bytes(length, at: 16)))
    else { throw damaged("its header cannot be read") }
    guard header.layoutVersion == WeightLayout.version else {
      throw stale("layout version \(header.layoutVersion), not \(WeightLayout.version)")
    }
    guard header.fingerprint == fingerprint else { throw stale("they belong to another model") }
    guard header.format == format else { throw stale("their format is \(header.format.rawValue)") }
    let list = LanguageModel.matrices(of: config)
    var offset = 0
    guard header.matrices.count == list.count else { throw stale("they list other matrices") }
    for (entry, (name, rows, columns)) in zip(header.matrices, list) {
      let layout = WeightLayout(
        rows: rows, columns: columns, format: Self.stored(name, as: format))
      guard entry.name == name, entry.layout == layout, entry.offset == offset else {
        throw stale("\(printable(entry.name)) has another layout")
      }
      offset += Self.padded(layout.bytes)
    }
    guard header.bytes == offset else { throw damaged("its size is wrong") }
    var status = stat()
    let first = Self.padded(16 + length)
    guard unsafe fstat(descriptor, &status) == 0, Int(status.st_size) == first + offset else {
      throw damaged("its size is wrong")
    }

    let buffer = RawBuffer(bytes: offset)
    // Read and check matrix by matrix, side by side.
    let failed = Failures(count: header.matrices.count)
    pool.run(chunks: header.matrices.count) { index in
      let entry = header.matrices[index]
      var done = 0
      let target = unsafe buffer.base + entry.offset
      while done < entry.layout.bytes {
        let got = unsafe pread(
          descriptor, target + done, entry.layout.bytes - done, off_t(first + entry.offset + done))
        guard got > 0 else { return failed.mark(index) }
        done += got
      }
      if Self.digest(of: entry, in: buffer) != entry.digest { failed.mark(index) }
    }
    if let index = failed.first {
      throw damaged("the checksum of \(printable(header.matrices[index].name)) is wrong")
    }
    self.format = format
    self.fingerprint = fingerprint
    self.place = place
    self.buffer = buffer
    entries = Dictionary(uniqueKeysWithValues: header.matrices.map { ($0.name, $0) })
  }

  /// Writes the file, whole or not at all.
  /// - Throws: `OutputError`.
  package func write(to file: URL) throws {
    let matrices = entries.values.sorted { $0.offset < $1.offset }
    let header = Header(
      fingerprint: fingerprint, format: format, layoutVersion: WeightLayout.version,
      bytes: buffer.bytes, matrices: matrices)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let json = try encoder.encode(header)
    var start = Data("CONTINUO".utf8)
    for number in [Self.version, UInt32(json.count)] {
      for shift in [0, 8, 16, 24] { start.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }
    start.append(json)
    start.append(Data(count: Self.padded(start.count) - start.count))
    try AtomicFile.write(to: file) { temporary in
      let descriptor = unsafe open(temporary.path, O_WRONLY | O_CLOEXEC)
      defer { if descriptor >= 0 { close(descriptor) } }
      func write(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
          let got = unsafe Glibc.write(
            descriptor, bytes.baseAddress! + done, min(bytes.count - done, 1 << 26))
          guard got > 0 else {
            throw OutputError.writing(
              path: file.path, reason: unsafe String(cString: strerror(errno)))
          }
          done += got
        }
      }
      unsafe try start.withUnsafeBytes(write)
      unsafe try write(UnsafeRawBufferPointer(start: buffer.base, count: buffer.bytes))
    }
  }

  /// One matrix.
  /// - Throws: `PreparedWeightsError.missing` when it is not there in this shape.
  package func matrix(_ name: String, rows: Int, columns: Int) throws -> WeightMatrix {
    guard let entry = entries[name], entry.layout.rows == rows, entry.layout.columns == columns
    else { throw PreparedWeightsError.missing(file: place, matrix: name) }
    return WeightMatrix(layout: entry.layout, in: buffer, offset: entry.offset)
  }

  /// The format in which a matrix is stored: the output heads decide every code and are small, so they
  /// keep 8 bits where the others have 4.
  private static func stored(_ name: String, as format: WeightFormat) -> WeightFormat {
    format == .int4 && name.contains("lm_heads.") ? .int8 : format
  }

  private static func padded(_ bytes: Int) -> Int { (bytes + 4095) / 4096 * 4096 }

  private static func digest(of entry: Entry, in buffer: RawBuffer) -> String {
    var hash = SHA256()
    unsafe hash.update(
      bufferPointer: UnsafeRawBufferPointer(
        start: buffer.base + entry.offset, count: entry.layout.bytes))
    return hexadecimal(hash.finalize())
  }

  private static func digests(
    of entries: [Entry], in buffer: RawBuffer, pool: ComputePool
  ) -> [String] {
    let results = Results(count: entries.count)
    pool.run(chunks: entries.count) { results.set($0, digest(of: entries[$0], in: buffer)) }
    return results.values
  }
}

/// Lowercase hexadecimal digits.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  bytes.map { byte in
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "0" + digits : digits
  }.joined()
}

/// Strings that several threads write, each its own place.
private final class Results: @unchecked Sendable {
  private let lock = NSLock()
  private var strings: [String]
  init(count: Int) { strings = [String](repeating: "", count: count) }
  func set(_ index: Int, _ value: String) { lock.withLock { strings[index] = value } }
  var values: [String] { lock.withLock { strings } }
}

/// Which of several side by side tasks failed.
private final class Failures: @unchecked Sendable {
  private let lock = NSLock()
  private var flags: [Bool]
  init(count: Int) { flags = [Bool](repeating: false, count: count) }
  func mark(_ index: Int) { lock.withLock { flags[index] = true } }
  var first: Int? { lock.withLock { flags.firstIndex(of: true) } }
}
