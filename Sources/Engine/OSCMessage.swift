// Open Sound Control messages as values, and their way to and from bytes (by liblo).

internal import CLO
package import Foundation

/// One argument of a message.
package enum OSCValue: Equatable, Sendable {
  case int(Int32)
  case int64(Int64)
  case float(Float)
  case double(Double)
  case string(String)
  case bool(Bool)
  case `nil`
  /// NTP time: seconds since 1900 in the upper half, fraction in the lower.
  case time(UInt64)
  case blob([UInt8])
  /// A type that Continuo does not use: its tag.
  case other(Character)

  /// The OSC type tag.
  package var tag: Character {
    switch self {
    case .int: "i"
    case .int64: "h"
    case .float: "f"
    case .double: "d"
    case .string: "s"
    case .bool(let value): value ? "T" : "F"
    case .nil: "N"
    case .time: "t"
    case .blob: "b"
    case .other(let tag): tag
    }
  }

  /// The number in it, for every numeric type and for true and false.
  package var number: Double? {
    switch self {
    case .int(let value): Double(value)
    case .int64(let value): Double(value)
    case .float(let value): Double(value)
    case .double(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  /// The text in it.
  package var text: String? {
    if case .string(let value) = self { value } else { nil }
  }
}

extension OSCValue: CustomStringConvertible {
  package var description: String {
    switch self {
    case .int(let value): "\(value)"
    case .int64(let value): "\(value)"
    case .float(let value): "\(value)"
    case .double(let value): "\(value)"
    case .string(let value): "\"\(value)\""
    case .bool(let value): "\(value)"
    case .nil: "nil"
    case .time(let value): "time \(value)"
    case .blob(let bytes): "\(bytes.count) bytes"
    case .other(let tag): "type \(tag)"
    }
  }
}

/// An address and its arguments.
package struct OSCMessage: Equatable, Sendable {
  package let path: String
  package let arguments: [OSCValue]

  package init(_ path: String, _ arguments: [OSCValue] = []) {
    self.path = path
    self.arguments = arguments
  }

  /// The type tags of the arguments.
  package var types: String { String(arguments.map(\.tag)) }

  /// The packet, 4-byte aligned, or nil when the text cannot be sent (memory).
  package var packet: Data? {
    guard let message = unsafe continuo_osc_message() else { return nil }
    defer { unsafe continuo_osc_message_free(message) }
    for argument in arguments {
      switch argument {
      case .int(let value): unsafe continuo_osc_add_int(message, value)
      case .int64(let value): unsafe continuo_osc_add_int64(message, value)
      case .float(let value): unsafe continuo_osc_add_float(message, value)
      case .double(let value): unsafe continuo_osc_add_double(message, value)
      case .string(let value): unsafe continuo_osc_add_string(message, value)
      case .bool(let value): unsafe continuo_osc_add_bool(message, value ? 1 : 0)
      case .nil, .other: unsafe continuo_osc_add_nil(message)
      case .time(let value): unsafe continuo_osc_add_time(message, value)
      case .blob(let bytes):
        unsafe continuo_osc_add_blob(message, bytes, UInt32(bytes.count))
      }
    }
    var size = 0
    guard let bytes = unsafe continuo_osc_serialise(message, path, &size) else { return nil }
    defer { unsafe free(bytes) }
    return unsafe Data(bytes: bytes, count: size)
  }

  /// The message in a packet that holds no bundle; nil when it is broken.
  package init?(packet: Data) {
    guard packet.count >= 8, packet.first == UInt8(ascii: "/") else { return nil }
    var bytes = [UInt8](packet)
    guard let end = bytes.firstIndex(of: 0) else { return nil }
    let path = String(decoding: bytes[..<end], as: UTF8.self)
    guard let message = unsafe continuo_osc_deserialise(&bytes, bytes.count) else { return nil }
    defer { unsafe continuo_osc_message_free(message) }
    unsafe self.init(path, Self.arguments(of: message))
  }

  /// The arguments of a liblo message.
  static func arguments(of message: UnsafeMutableRawPointer) -> [OSCValue] {
    let types = unsafe String(cString: continuo_osc_types(message))
    return types.enumerated().map { index, type in
      let index = Int32(index)
      switch type {
      case "i": return unsafe .int(continuo_osc_int(message, index))
      case "h": return unsafe .int64(continuo_osc_int64(message, index))
      case "f": return unsafe .float(continuo_osc_float(message, index))
      case "d": return unsafe .double(continuo_osc_double(message, index))
      case "s", "S": return unsafe .string(String(cString: continuo_osc_string(message, index)))
      case "T": return .bool(true)
      case "F": return .bool(false)
      case "N": return .nil
      case "t": return unsafe .time(continuo_osc_time(message, index))
      case "b":
        var size: UInt32 = 0
        guard let start = unsafe continuo_osc_blob(message, index, &size) else { return .blob([]) }
        return unsafe .blob([UInt8](UnsafeBufferPointer(start: start, count: Int(size))))
      default: return .other(type)
      }
    }
  }
}

extension OSCMessage: CustomStringConvertible {
  package var description: String {
    ([path] + arguments.map(\.description)).joined(separator: " ")
  }
}
