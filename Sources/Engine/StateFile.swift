// The values of the control surface in a file: JSON, one member per address that differs from the start.

package import Foundation
import Reporting

/// Keeps and brings back values.
package enum StateFile {
  /// Writes `values` whole or not at all.
  /// - Throws: `OutputError`, `ControlError`.
  package static func save(_ values: [(address: String, value: OSCValue)], to file: URL) throws {
    var table: [String: Any] = [:]
    for (address, value) in values {
      switch value {
      case .string(let text): table[address] = text
      case .int(let number): table[address] = Int(number)
      default: table[address] = value.number.map { ($0 * 1e6).rounded() / 1e6 } ?? 0
      }
    }
    try DataFolders.make(file.deletingLastPathComponent())
    let data = try JSONSerialization.data(
      withJSONObject: ["format": "continuo-state", "version": 1, "values": table],
      options: [.prettyPrinted, .sortedKeys])
    try AtomicFile.write(data, to: file)
  }

  /// Reads values, in the order in which they are to be set: directions first, since a direction brings
  /// its own settings.
  /// - Throws: `ControlError.noSuch`, `.failed` when the file is no state.
  package static func load(_ file: URL) throws -> [(address: String, value: OSCValue)] {
    let name = file.deletingPathExtension().lastPathComponent
    guard let data = try? Data(contentsOf: file), data.count < 1 << 20 else {
      throw ControlError.noSuch(what: "state", name: name)
    }
    guard let json = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any],
      json["format"] as? String == "continuo-state", let table = json["values"] as? [String: Any]
    else {
      throw ControlError.failed(
        problem: "\(file.path) is no state of Continuo", remedy: "save it again")
    }
    return table.compactMap { address, value -> (address: String, value: OSCValue)? in
      guard AddressTable.byAddress[address]?.row.role == .value else { return nil }
      if let text = value as? String { return (address, .string(text)) }
      if let number = value as? NSNumber { return (address, .double(number.doubleValue)) }
      return nil
    }.sorted {
      let (a, b) = ($0.address.hasSuffix("/direction"), $1.address.hasSuffix("/direction"))
      return a != b ? a : $0.address < $1.address
    }
  }
}
