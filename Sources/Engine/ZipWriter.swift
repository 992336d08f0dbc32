// Zip archives whose bytes depend on nothing but their contents.
//
// Names sorted, stored without compression (probes hardly shrink), no dates, owners or extra fields:
// packing the same files gives the same archive on every machine. Source: PKWARE's APPNOTE 4.3.

package import Foundation

package enum ZipWriter {
  /// One entry as it is written.
  package struct Entry {
    package var name: [UInt8]
    package var data: Data
    /// Unix mode; a plain file by default.
    package var mode: UInt32 = 0o100644

    package init(name: String, data: Data) {
      self.name = Array(name.utf8)
      self.data = data
    }
  }

  /// An archive of files by name.
  package static func archive(_ contents: [String: Data]) -> Data {
    archive(contents.sorted { $0.key < $1.key }.map { Entry(name: $0.key, data: $0.value) })
  }

  /// An archive of `entries` in their order; less than 4 GiB.
  package static func archive(_ entries: [Entry]) -> Data {
    var result = Data()
    var directory = Data()
    for entry in entries {
      let offset = result.count
      var common = Data()
      common.append(20, bytes: 2)  // version needed
      common.append(0x0800, bytes: 2)  // names are UTF-8
      common.append(0, bytes: 2)  // stored
      common.append(0, bytes: 2)  // midnight
      common.append(0x21, bytes: 2)  // 1 January 1980
      common.append(UInt64(crc32(entry.data)), bytes: 4)
      common.append(UInt64(entry.data.count), bytes: 4)
      common.append(UInt64(entry.data.count), bytes: 4)
      common.append(UInt64(entry.name.count), bytes: 2)
      common.append(0, bytes: 2)  // extra fields
      result.append(0x0403_4B50, bytes: 4)
      result.append(common)
      result.append(contentsOf: entry.name)
      result.append(entry.data)
      directory.append(0x0201_4B50, bytes: 4)
      directory.append(0x0314, bytes: 2)  // made by: Unix
      directory.append(common)
      directory.append(0, bytes: 2)  // comment
      directory.append(0, bytes: 2)  // disk
      directory.append(0, bytes: 2)  // internal attributes
      directory.append(UInt64(entry.mode) << 16, bytes: 4)
      directory.append(UInt64(offset), bytes: 4)
      directory.append(contentsOf: entry.name)
    }
    let start = result.count
    result.append(directory)
    result.append(0x0605_4B50, bytes: 4)
    result.append(0, bytes: 4)  // disks
    result.append(UInt64(entries.count), bytes: 2)
    result.append(UInt64(entries.count), bytes: 2)
    result.append(UInt64(directory.count), bytes: 4)
    result.append(UInt64(start), bytes: 4)
    result.append(0, bytes: 2)  // comment
    return result
  }

  private static func crc32(_ data: Data) -> UInt32 {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in data { crc = table[Int((crc ^ UInt32(byte)) & 0xFF)] ^ (crc >> 8) }
    return ~crc
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in
      value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1
    }
  }
}

extension Data {
  fileprivate mutating func append(_ value: UInt64, bytes: Int) {
    for index in 0..<bytes { append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
  }
}
