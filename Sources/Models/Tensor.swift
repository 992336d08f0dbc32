// A tensor in a mapped file, and the set of tensors of a checkpoint.

package import Foundation
package import Kernels
internal import Reporting

/// A named tensor whose bytes lie in a mapped file.
package struct Tensor: Sendable {
  package let name: String
  package let type: TensorType
  package let shape: [Int]
  /// Number of elements.
  package let count: Int
  package let file: MappedFile
  /// First byte in the file.
  package let offset: Int

  /// The raw bytes.
  package var bytes: RawSpan {
    @_lifetime(borrow self) borrowing get {
      let start = unsafe file.pointer(at: offset)
      let whole = unsafe RawSpan(_unsafeStart: start, byteCount: count * type.size)
      return unsafe _overrideLifetime(whole, borrowing: self)
    }
  }

  /// Gives the memory that its bytes take back to the system; they are read again when wanted. For who
  /// has made a copy.
  package func releasePages() { file.releasePages(offset..<offset + count * type.size) }

  /// All elements as float32, converted from whatever float type is stored.
  /// - Throws: `SafetensorsError.wrongType` for integer tensors.
  package func floats() throws -> [Float] {
    let start = unsafe file.pointer(at: offset)
    func convert(_ element: (Int) -> Float) -> [Float] {
      var result = [Float](repeating: 0, count: count)
      for index in 0..<count { result[index] = element(index) }
      return result
    }
    switch type {
    case .f32:
      return convert {
        unsafe start.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
      }
    case .f16:
      return convert {
        unsafe float(
          halfBits: start.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self).littleEndian)
      }
    case .bf16:
      return convert {
        Float(
          bitPattern: UInt32(
            unsafe start.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self).littleEndian) << 16)
      }
    case .f64:
      return convert {
        Float(unsafe start.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self))
      }
    case .i64, .i32, .i16, .u16, .i8, .u8, .bool:
      throw SafetensorsError.wrongType(tensor: name, found: type.rawValue, expected: "a float type")
    }
  }

  /// All elements as 32-bit integers.
  /// - Throws: `SafetensorsError` for float tensors and for values that do not fit.
  package func integers() throws -> [Int32] {
    let start = unsafe file.pointer(at: offset)
    return try (0..<count).map { index in
      let value: Int64? =
        switch type {
        case .i64: unsafe start.loadUnaligned(fromByteOffset: 8 * index, as: Int64.self)
        case .i32: Int64(unsafe start.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))
        case .i16: Int64(unsafe start.loadUnaligned(fromByteOffset: 2 * index, as: Int16.self))
        case .u16: Int64(unsafe start.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
        case .i8: Int64(unsafe start.loadUnaligned(fromByteOffset: index, as: Int8.self))
        case .u8, .bool: Int64(unsafe start.loadUnaligned(fromByteOffset: index, as: UInt8.self))
        case .f64, .f32, .f16, .bf16: nil
        }
      guard let value else {
        throw SafetensorsError.wrongType(
          tensor: name, found: type.rawValue, expected: "an integer type")
      }
      guard let small = Int32(exactly: value) else {
        throw SafetensorsError.badTensor(
          file: file.url.path, tensor: name, reason: "value \(value) at place \(index) is too large"
        )
      }
      return small
    }
  }

  /// All elements as float32 in a buffer, checked to be finite.
  package func buffer() throws -> FloatBuffer {
    let values = try floats()
    if let index = values.firstIndex(where: { !$0.isFinite }) {
      throw SafetensorsError.notFinite(tensor: name, index: index)
    }
    return FloatBuffer(values)
  }
}

/// A half-precision number, from its bits (IEEE 754 binary16), exactly.
package func float(halfBits bits: UInt16) -> Float {
  let sign: Float = bits & 0x8000 == 0 ? 1 : -1
  let exponent = Int(bits >> 10 & 0x1F)
  let fraction = Float(bits & 0x3FF)
  switch exponent {
  case 0: return sign * fraction * 0x1p-24
  case 31: return fraction == 0 ? sign * .infinity : .nan
  default:
    return sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
  }
}

/// The tensors of a checkpoint: one file, or shards with an index.
package struct TensorStore: Sendable {
  /// Where they came from, for messages.
  package let place: String
  package let tensors: [String: Tensor]

  /// Gives back the memory of what was read of the files and has been copied or converted since.
  package func releasePages() {
    var seen = Set<ObjectIdentifier>()
    for tensor in tensors.values where seen.insert(ObjectIdentifier(tensor.file)).inserted {
      tensor.file.releasePages()
    }
  }

  /// Opens one file.
  package init(file: URL) throws {
    self.init(place: file.path, tensors: try SafetensorsFile(url: file).tensors)
  }

  /// Opens `model.safetensors` of a checkpoint's folder, or the shards that
  /// `model.safetensors.index.json` names.
  /// - Throws: `SafetensorsError`.
  package init(directory: URL) throws {
    let single = directory.appendingPathComponent("model.safetensors")
    let index = directory.appendingPathComponent("model.safetensors.index.json")
    if !FileManager.default.fileExists(atPath: index.path) {
      try self.init(file: single)
      return
    }
    struct Index: Decodable { var weight_map: [String: String] }
    guard let data = try? Data(contentsOf: index),
      let map = try? JSONDecoder().decode(Index.self, from: data).weight_map
    else {
      throw SafetensorsError.badHeader(file: index.path, reason: "it is not a shard index")
    }
    var tensors: [String: Tensor] = [:]
    var shards: [String: SafetensorsFile] = [:]
    for name in Set(map.values).sorted() {
      guard !name.contains("/"), name != "..", name.hasSuffix(".safetensors") else {
        throw SafetensorsError.badHeader(
          file: index.path, reason: "shard name \(printable(name)) is not a plain file name")
      }
      shards[name] = try SafetensorsFile(url: directory.appendingPathComponent(name))
    }
    for (name, shard) in map {
      guard let tensor = shards[shard]?.tensors[name] else {
        throw SafetensorsError.missing(tensor: name, place: shard)
      }
      tensors[name] = tensor
    }
    self.init(place: directory.path, tensors: tensors)
  }

  private init(place: String, tensors: [String: Tensor]) {
    self.place = place
    self.tensors = tensors
  }

  /// The tensor `name`.
  /// - Parameter shape: when given, the shape that it must have.
  /// - Throws: `SafetensorsError.missing`, `.wrongShape`.
  package func tensor(_ name: String, shape: [Int]? = nil) throws -> Tensor {
    guard let tensor = tensors[name] else {
      throw SafetensorsError.missing(tensor: name, place: place)
    }
    if let shape, tensor.shape != shape {
      throw SafetensorsError.wrongShape(tensor: name, found: tensor.shape, expected: shape)
    }
    return tensor
  }

  /// The tensor's values as float32, all finite.
  package func buffer(_ name: String, shape: [Int]) throws -> FloatBuffer {
    try tensor(name, shape: shape).buffer()
  }
}
