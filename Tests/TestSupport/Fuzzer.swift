// Broken input by the thousand: mutates good files and hands them to a reader that must survive.
//
// A short run with a fixed seed belongs to the normal tests. With CONTINUO_SOAK_SECONDS in the environment each
// target runs for that long with a new seed, which is printed; the input under test always lies in a file, so
// after a crash it is the last one there. A reader may refuse (throw) or accept; it may not trap or hang.

package import Foundation

/// Makes broken copies of good bytes.
package struct Mutator {
  private var random: TestRandom

  package init(seed: UInt64) { random = TestRandom(seed: seed) }

  private mutating func below(_ count: Int) -> Int {
    Int.random(in: 0..<max(count, 1), using: &random)
  }

  /// One of `choices`, with one to eight changes.
  package mutating func mutate(_ choices: [Data]) -> Data {
    var bytes = [UInt8](choices[below(choices.count)])
    for _ in 0...below(8) { change(&bytes, choices) }
    return Data(bytes)
  }

  private mutating func change(_ bytes: inout [UInt8], _ choices: [Data]) {
    guard !bytes.isEmpty else {
      bytes = [UInt8](choices[below(choices.count)])
      return
    }
    // Half of all changes hit the first kilobyte, where headers are.
    let place = below(random.next() & 1 == 0 ? min(bytes.count, 1024) : bytes.count)
    switch below(9) {
    case 0: bytes[place] ^= 1 << UInt8(below(8))
    case 1: bytes[place] = UInt8(below(256))
    case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(64)))
    case 3: bytes.removeLast(below(bytes.count))
    case 4: bytes.insert(contentsOf: (0..<1 + below(16)).map { _ in UInt8(below(256)) }, at: place)
    case 5:  // a number at the edge, little- or big-endian
      let edges: [UInt64] = [
        0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, .max, .max / 2,
      ]
      let edge = edges[below(edges.count)]
      let width = [1, 2, 4, 8][below(4)]
      let isBig = random.next() & 1 == 0
      for index in 0..<width where place + index < bytes.count {
        let shift = UInt64(8 * (isBig ? width - 1 - index : index))
        bytes[place + index] = UInt8(truncatingIfNeeded: edge >> shift)
      }
    case 6: numbers(&bytes, from: place)
    case 7:  // a part of another file
      let other = choices[below(choices.count)]
      guard !other.isEmpty else { return }
      let start = below(other.count)
      let end = min(other.count, start + 1 + below(256))
      bytes.replaceSubrange(place..<min(bytes.count, place + below(256)), with: other[start..<end])
    default:  // a part once more
      let end = min(bytes.count, place + 1 + below(128))
      bytes.insert(contentsOf: bytes[place..<end], at: below(bytes.count))
    }
  }

  /// Replaces the next decimal number behind `place` by another: what a text format trips over.
  private mutating func numbers(_ bytes: inout [UInt8], from place: Int) {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard let start = bytes[place...].firstIndex(where: digits.contains) else { return }
    let end = bytes[start...].firstIndex { !digits.contains($0) } ?? bytes.count
    let texts = [
      "0", "-1", "1", "2", "3", "7", "4096", "65536", "2147483648", "9223372036854775807",
      "18446744073709551616", "1e400", "-1e400", "0.5", "1e-320", "null", "\"x\"", "[]", "{}",
    ]
    bytes.replaceSubrange(start..<end, with: Array(texts[below(texts.count)].utf8))
  }
}

/// Runs `body` on broken copies of `choices`.
/// - Parameters:
///   - name: of the target, for the file and the report.
///   - rounds: how many copies in the normal tests.
///   - body: gets the bytes; what it throws is a refusal and counts as such.
/// - Returns: how many copies were tried and how many of them refused.
@discardableResult
package func fuzz(
  _ name: String, _ choices: [Data], rounds: Int, _ body: (Data) throws -> Void
) -> (tried: Int, refused: Int) {
  let soak = ProcessInfo.processInfo.environment["CONTINUO_SOAK_SECONDS"].flatMap(Double.init)
  let seed = soak == nil ? 1 : UInt64.random(in: 0...UInt64.max)
  let input = FileManager.default.temporaryDirectory.appendingPathComponent(
    "continuo-fuzz-\(name)-\(ProcessInfo.processInfo.processIdentifier)")
  var mutator = Mutator(seed: seed)
  var tried = 0
  var refused = 0
  let clock = ContinuousClock()
  let end = clock.now + .seconds(soak ?? 0)
  while soak == nil ? tried < rounds : clock.now < end {
    let bytes = mutator.mutate(choices)
    try? bytes.write(to: input)
    tried += 1
    do { try body(bytes) } catch { refused += 1 }
  }
  try? FileManager.default.removeItem(at: input)
  if soak != nil {
    print("fuzz \(name): seed \(seed), \(tried) inputs, \(refused) refused, 0 crashes")
  }
  return (tried, refused)
}
