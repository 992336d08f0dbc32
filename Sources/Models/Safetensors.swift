// The safetensors container: reading (mapped) and writing.
//
// Layout: 8 bytes little-endian header size, a JSON header of names to {dtype, shape, data_offsets},
// then the data without holes. Source: the format's published description. Files come from strangers:
// every size is checked before it is used, and nothing is executed.

package import Foundation
package import Reporting

/// What can be wrong with a tensor file.
package enum SafetensorsError: Explained {
  case cannotOpen(file: String, reason: String)
  case badHeader(file: String, reason: String)
  case badTensor(file: String, tensor: String, reason: String)
  case missing(tensor: String, place: String)
  case wrongShape(tensor: String, found: [Int], expected: [Int])
  case wrongType(tensor: String, found: String, expected: String)
  case notFinite(tensor: String, index: Int)

  package var kind: FailureKind {
    if case .cannotOpen = self { return .noInput }
    return .data
  }

  package var problem: String {
    switch self {
    case .cannotOpen(let file, let reason): "cannot open \(file): \(reason)"
    case .badHeader(let file, let reason): "\(file) is not a valid safetensors file: \(reason)"
    case .badTensor(let file, let tensor, let reason):
      "\(file): tensor \(printable(tensor)): \(reason)"
    case .missing(let tensor, let place): "\(place) has no tensor \(printable(tensor))"
    case .wrongShape(let tensor, let found, let expected):
      "tensor \(printable(tensor)) has shape \(found), but \(expected) is needed"
    case .wrongType(let tensor, let found, let expected):
      "tensor \(printable(tensor)) is of type \(found), but \(expected) is needed"
    case .notFinite(let tensor, let index):
      "tensor \(printable(tensor)) holds a value that is not a number or infinite at place \(index)"
    }
  }

  package var remedy: String {
    switch self {
    case .cannotOpen: "check the path and its permissions"
    case .badHeader, .badTensor, .notFinite: "copy the file again from where it came"
    case .missing, .wrongShape, .wrongType:
      "check that config.json and the weights belong to the same model"
    }
  }
}

/// How the numbers of a tensor are stored.
package enum TensorType: String, Sendable {
  case f64 = "F64"
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case i64 = "I64"
  case i32 = "I32"
  case i16 = "I16"
  case u16 = "U16"
  case i8 = "I8"
  case u8 = "U8"
  case bool = "BOOL"

  /// Bytes per element.
  package var size: Int {
    switch self {
    case .f64, .i64: 8
    case .f32, .i32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .i8, .u8, .bool: 1
    }
  }

  package var isFloat: Bool { self == .f64 || self == .f32 || self == .f16 || self == .bf16 }
}

/// One safetensors file, mapped.
package final class SafetensorsFile: Sendable {
  /// Headers larger than this are refused, as the reference implementation does.
  package static let largestHeader = 100_000_000

  package let file: MappedFile
  package let tensors: [String: Tensor]
  package let metadata: [String: String]

  /// Maps and checks a file.
  /// - Throws: `SafetensorsError`.
  package convenience init(url: URL) throws {
    try self.init(file: MappedFile(url: url), name: url.path)
  }

  /// Checks bytes that are in memory.
  /// - Parameter name: what messages call them.
  /// - Throws: `SafetensorsError`.
  package convenience init(data: Data, name: String) throws {
    try self.init(file: MappedFile(copying: data, name: name), name: name)
  }

  private init(file: MappedFile, name: String) throws {
    self.file = file
    guard file.count >= 8 else {
      throw SafetensorsError.badHeader(file: name, reason: "it has only \(file.count) bytes")
    }
    var size: UInt64 = 0
    for index in 0..<8 {
      size |= UInt64(unsafe file.pointer(at: index).load(as: UInt8.self)) << UInt64(8 * index)
    }
    guard size <= UInt64(Self.largestHeader), Int(size) <= file.count - 8 else {
      throw SafetensorsError.badHeader(
        file: name, reason: "its header claims \(size) bytes, the file has \(file.count)")
    }
    let headerSize = Int(size)
    let header = unsafe Data(bytes: file.pointer(at: 8), count: headerSize)
    let parsed: [String: HeaderEntry]
    do { parsed = try JSONDecoder().decode([String: HeaderEntry].self, from: header) } catch {
      throw SafetensorsError.badHeader(file: name, reason: "its header is not the expected JSON")
    }
    var tensors: [String: Tensor] = [:]
    var metadata: [String: String] = [:]
    let dataStart = 8 + headerSize
    let dataSize = file.count - dataStart
    var ranges: [(range: Range<Int>, name: String)] = []
    for (tensorName, entry) in parsed {
      switch entry {
      case .metadata(let values):
        guard tensorName == "__metadata__" else {
          throw SafetensorsError.badTensor(
            file: name, tensor: tensorName, reason: "its entry lacks dtype, shape or data_offsets")
        }
        metadata = values
      case .tensor(let type, let shape, let offsets):
        func bad(_ reason: String) -> SafetensorsError {
          .badTensor(file: name, tensor: tensorName, reason: reason)
        }
        guard let type = TensorType(rawValue: type) else {
          throw bad("its type \(printable(type)) is unknown")
        }
        var elements = 1
        for extent in shape {
          let (product, overflow) = elements.multipliedReportingOverflow(by: extent)
          guard extent >= 0, !overflow else { throw bad("its shape \(shape) makes no sense") }
          elements = product
        }
        let (bytes, overflow) = elements.multipliedReportingOverflow(by: type.size)
        guard offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1],
          offsets[1] <= dataSize, !overflow
        else { throw bad("its offsets \(offsets) lie outside the \(dataSize) bytes of data") }
        guard bytes == offsets[1] - offsets[0] else {
          throw bad("its shape needs \(bytes) bytes, its offsets hold \(offsets[1] - offsets[0])")
        }
        ranges.append((offsets[0]..<offsets[1], tensorName))
        tensors[tensorName] = Tensor(
          name: tensorName, type: type, shape: shape, count: elements, file: file,
          offset: dataStart + offsets[0])
      }
    }
    ranges.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    var end = 0
    for (range, tensorName) in ranges {
      guard range.lowerBound == end else {
        throw SafetensorsError.badTensor(
          file: name, tensor: tensorName,
          reason: range.lowerBound < end
            ? "its data overlaps another tensor's" : "there is a hole before its data")
      }
      end = range.upperBound
    }
    guard end == dataSize else {
      throw SafetensorsError.badHeader(
        file: name, reason: "\(dataSize - end) bytes at its end belong to no tensor")
    }
    self.tensors = tensors
    self.metadata = metadata
  }
}

/// Either a tensor's entry or the table of free text.
private enum HeaderEntry: Decodable {
  case tensor(type: String, shape: [Int], offsets: [Int])
  case metadata([String: String])

  private enum Key: String, CodingKey {
    case dtype, shape
    case offsets = "data_offsets"
  }

  init(from decoder: any Decoder) throws {
    if let table = try? decoder.container(keyedBy: Key.self), table.contains(.offsets) {
      self = .tensor(
        type: try table.decode(String.self, forKey: .dtype),
        shape: try table.decode([Int].self, forKey: .shape),
        offsets: try table.decode([Int].self, forKey: .offsets))
    } else {
      self = .metadata(try decoder.singleValueContainer().decode([String: String].self))
    }
  }
}

/// Writes tensors in the safetensors layout, sorted by name, whole or not at all.
package enum SafetensorsWriter {
  /// One tensor to write: its bytes are little-endian in row-major order.
  package struct Entry {
    package var name: String
    package var type: TensorType
    package var shape: [Int]
    package var data: Data

    package init(name: String, type: TensorType, shape: [Int], data: Data) {
      self.name = name
      self.type = type
      self.shape = shape
      self.data = data
    }

    /// Float32 values.
    package init(name: String, shape: [Int], floats: [Float]) {
      self.init(
        name: name, type: .f32, shape: shape,
        data: unsafe floats.withUnsafeBytes { unsafe Data($0) })
    }

    /// Int32 values.
    package init(name: String, shape: [Int], integers: [Int32]) {
      self.init(
        name: name, type: .i32, shape: shape,
        data: unsafe integers.withUnsafeBytes { unsafe Data($0) })
    }
  }

  /// - Throws: `OutputError`.
  package static func write(_ entries: [Entry], metadata: [String: String] = [:], to url: URL)
    throws
  {
    try AtomicFile.write(encode(entries, metadata: metadata), to: url)
  }

  /// The file's bytes.
  package static func encode(_ entries: [Entry], metadata: [String: String] = [:]) -> Data {
    var header: [String: Any] = [:]
    if !metadata.isEmpty { header["__metadata__"] = metadata }
    var offset = 0
    let sorted = entries.sorted { $0.name < $1.name }
    for entry in sorted {
      precondition(
        entry.data.count == entry.shape.reduce(1, *) * entry.type.size,
        "\(entry.name): data and shape do not fit")
      header[entry.name] = [
        "dtype": entry.type.rawValue, "shape": entry.shape,
        "data_offsets": [offset, offset + entry.data.count],
      ]
      offset += entry.data.count
    }
    var json =
      (try? JSONSerialization.data(
        withJSONObject: header, options: [.sortedKeys, .withoutEscapingSlashes])) ?? Data("{}".utf8)
    while json.count % 8 != 0 { json.append(0x20) }
    var result = Data()
    var size = UInt64(json.count).littleEndian
    unsafe withUnsafeBytes(of: &size) { unsafe result.append(contentsOf: $0) }
    result.append(json)
    for entry in sorted { result.append(entry.data) }
    return result
  }
}
