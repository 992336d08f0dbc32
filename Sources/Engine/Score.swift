// Every control with the step at which it took effect, in the binary score form of scsynth: for each
// entry an int32 length (big-endian) and a bundle of that length.
//
// The time tag of a bundle is the step as time: seconds from the take's first step, 20 ms apart, in NTP
// form. The step itself stands first in the bundle, as `/step i`, so that nothing depends on rounding.

package import Foundation
package import Reporting

/// A score that is none.
package enum ScoreError: Explained, Equatable {
  case broken(path: String, offset: Int)

  package var kind: FailureKind { .data }
  package var problem: String {
    switch self {
    case .broken(let path, let offset): "\(path) is no score: broken at byte \(offset)"
    }
  }
  package var remedy: String { "take score.osc out of a take that Continuo wrote" }
}

/// Reads and writes scores.
package enum Score {
  /// - Parameter stepsPerSecond: 50 in the published models.
  package static func encode(_ entries: [ScoreEntry], stepsPerSecond: Double = 50) -> Data {
    var result = Data()
    var index = 0
    while index < entries.count {
      let step = entries[index].step
      var messages = [OSCMessage("/step", [.int(Int32(clamping: step))])]
      while index < entries.count, entries[index].step == step {
        messages.append(entries[index].message)
        index += 1
      }
      var bundle = Data("#bundle\0".utf8)
      let seconds = Double(step) / stepsPerSecond
      append(
        UInt64(seconds) << 32 | UInt64((seconds - seconds.rounded(.down)) * 4294967296), to: &bundle
      )
      for message in messages {
        guard let packet = message.packet else { continue }
        append(UInt32(packet.count), to: &bundle)
        bundle.append(packet)
      }
      append(UInt32(bundle.count), to: &result)
      result.append(bundle)
    }
    return result
  }

  /// - Parameter path: for messages.
  /// - Throws: `ScoreError`.
  package static func decode(_ data: Data, path: String) throws -> [ScoreEntry] {
    let bytes = [UInt8](data)
    var entries: [ScoreEntry] = []
    var offset = 0
    func broken() -> ScoreError { .broken(path: path, offset: offset) }
    func word(_ place: Int) throws -> Int {
      guard place + 4 <= bytes.count else { throw broken() }
      return bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    while offset < bytes.count {
      let length = try word(offset)
      let end = offset + 4 + length
      guard length >= 16, end <= bytes.count,
        bytes[offset + 4..<offset + 12].elementsEqual("#bundle\0".utf8)
      else { throw broken() }
      offset += 20
      var step: Int?
      while offset < end {
        let size = try word(offset)
        guard size > 0, offset + 4 + size <= end,
          let message = OSCMessage(packet: Data(bytes[offset + 4..<offset + 4 + size]))
        else { throw broken() }
        offset += 4 + size
        if message.path == "/step", case .int(let number)? = message.arguments.first {
          step = Int(number)
        } else if let step {
          entries.append(ScoreEntry(step: step, message: message))
        } else {
          throw broken()
        }
      }
    }
    return entries
  }

  private static func append<Number: FixedWidthInteger>(_ number: Number, to data: inout Data) {
    for shift in stride(from: Number.bitWidth - 8, through: 0, by: -8) {
      data.append(UInt8(truncatingIfNeeded: number >> Number(shift)))
    }
  }
}
