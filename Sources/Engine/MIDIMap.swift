// MIDI controllers on OSC addresses: absolute, 14-bit, three relative kinds, soft takeover, learning.
//
// Pure bookkeeping on three-byte messages (0x00SSDDDD); the control thread feeds it and obeys what comes
// out. Relative kinds as in common DAW practice: two's complement (1 … 63 up, 65 … 127 down as
// value − 128), binary offset (65 … up, … 63 down around 64), sign and magnitude (bit 6 is the sign).

package import Foundation

/// How a controller speaks.
package enum MIDIMode: String, Sendable, CaseIterable, Codable {
  case absolute
  case fourteenBit = "14-bit"
  case relativeTwosComplement = "relative-2c"
  case relativeBinaryOffset = "relative-binary"
  case relativeSigned = "relative-signed"
}

/// One controller on one address.
package struct MIDIMapping: Sendable, Equatable, Codable {
  package var address: String
  /// 1 … 16.
  package var channel: Int
  /// 0 … 127; for 14 bits the number of the coarse part, 0 … 31, the fine one is 32 higher.
  package var controller: Int
  package var mode: MIDIMode

  package init(address: String, channel: Int, controller: Int, mode: MIDIMode = .absolute) {
    self.address = address
    self.channel = channel
    self.controller = controller
    self.mode = mode
  }
}

/// All mappings, and what soft takeover remembers.
package struct MIDIMap: Sendable {
  package private(set) var mappings: [MIDIMapping]
  /// The address that the next controller will drive.
  package private(set) var learning: String?
  private var coarse: [Int: Int] = [:]
  /// Last position of an absolute controller, 0 … 1, while it has not caught the value.
  private var chasing: [Int: Double] = [:]
  private var caught: Set<Int> = []

  package init(_ mappings: [MIDIMapping] = []) { self.mappings = mappings }

  /// Reads a map from JSON; an empty map when there is none or it is broken.
  package init(contentsOf file: URL) {
    let data = (try? Data(contentsOf: file)) ?? Data()
    self.init((try? JSONDecoder().decode([MIDIMapping].self, from: data)) ?? [])
  }

  /// The map as JSON.
  package var data: Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return (try? encoder.encode(mappings)) ?? Data()
  }

  /// Sets or ends learning.
  package mutating func learn(_ address: String?) { learning = address }

  /// Adds a mapping; the same controller drives nothing else any more.
  package mutating func map(_ mapping: MIDIMapping) {
    mappings.removeAll {
      $0.channel == mapping.channel && $0.controller == mapping.controller
    }
    mappings.append(mapping)
    caught.remove(key(mapping.channel, mapping.controller))
    chasing[key(mapping.channel, mapping.controller)] = nil
  }

  /// Removes all mappings of an address; false when there were none.
  package mutating func unmap(_ address: String) -> Bool {
    let before = mappings.count
    mappings.removeAll { $0.address == address }
    return mappings.count < before
  }

  private func key(_ channel: Int, _ controller: Int) -> Int { channel * 128 + controller }

  /// What one message does.
  package enum Effect: Equatable, Sendable {
    case nothing
    /// The controller was learned: the map is to be saved.
    case learned(MIDIMapping)
    /// The address moves to this share of its range, 0 … 1.
    case move(address: String, share: Double)
  }

  /// Takes a message in.
  /// - Parameter share: where an address stands in its range now, 0 … 1.
  package mutating func receive(_ message: UInt32, share: (String) -> Double) -> Effect {
    guard message >> 20 & 0xF == 0xB else { return .nothing }
    let channel = Int(message >> 16 & 0xF) + 1
    let controller = Int(message >> 8 & 0x7F)
    let value = Int(message & 0x7F)
    if let address = learning {
      learning = nil
      let mapping = MIDIMapping(address: address, channel: channel, controller: controller)
      map(mapping)
      return .learned(mapping)
    }
    for mapping in mappings where mapping.channel == channel {
      if mapping.mode == .fourteenBit, mapping.controller == controller {
        coarse[key(channel, controller)] = value
        return .nothing
      }
      if mapping.mode == .fourteenBit, mapping.controller + 32 == controller {
        guard let upper = coarse[key(channel, mapping.controller)] else { return .nothing }
        return absolute(mapping, Double(upper * 128 + value) / 16383, share)
      }
      guard mapping.controller == controller else { continue }
      switch mapping.mode {
      case .absolute: return absolute(mapping, Double(value) / 127, share)
      case .fourteenBit: return .nothing
      case .relativeTwosComplement:
        return relative(mapping, value < 64 ? value : value - 128, share)
      case .relativeBinaryOffset: return relative(mapping, value - 64, share)
      case .relativeSigned:
        return relative(mapping, value & 0x40 == 0 ? value & 0x3F : -(value & 0x3F), share)
      }
    }
    return .nothing
  }

  /// Soft takeover: nothing moves until the controller has come to the value or passed it.
  private mutating func absolute(
    _ mapping: MIDIMapping, _ position: Double, _ share: (String) -> Double
  ) -> Effect {
    let key = key(mapping.channel, mapping.controller)
    let target = share(mapping.address)
    if !caught.contains(key) {
      let last = chasing[key]
      chasing[key] = position
      let isThere = abs(position - target) < 0.03
      let hasPassed = last.map { ($0 - target) * (position - target) <= 0 } ?? false
      guard isThere || hasPassed else { return .nothing }
      caught.insert(key)
    }
    return .move(address: mapping.address, share: position)
  }

  private func relative(
    _ mapping: MIDIMapping, _ ticks: Int, _ share: (String) -> Double
  ) -> Effect {
    guard ticks != 0 else { return .nothing }
    let moved = min(max(share(mapping.address) + Double(ticks) / 128, 0), 1)
    return .move(address: mapping.address, share: moved)
  }

  /// An address was moved by something else: absolute controllers have to catch it again, and what
  /// motor faders and lamps are told.
  package mutating func moved(_ address: String, share: Double) -> [UInt32] {
    var feedback: [UInt32] = []
    for mapping in mappings where mapping.address == address {
      let key = key(mapping.channel, mapping.controller)
      caught.remove(key)
      chasing[key] = nil
      let status = UInt32(0xB0 + mapping.channel - 1) << 16
      switch mapping.mode {
      case .absolute:
        feedback.append(
          status | UInt32(mapping.controller) << 8 | UInt32((share * 127).rounded()))
      case .fourteenBit:
        let value = UInt32((share * 16383).rounded())
        feedback.append(status | UInt32(mapping.controller) << 8 | value >> 7)
        feedback.append(status | UInt32(mapping.controller + 32) << 8 | value & 0x7F)
      default: break
      }
    }
    return feedback
  }
}
