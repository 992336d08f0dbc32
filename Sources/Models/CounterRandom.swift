// Random numbers that are a pure function of where they are used.
//
// Philox 4×32 with 10 rounds (Salmon et al., “Parallel random numbers: as easy as 1, 2, 3”, 2011):
// key = seed, counter = place. Rolling back, restarting and other thread counts change nothing.

import RealModule

/// Counter-based random numbers.
package struct CounterRandom: Sendable {
  private let key: SIMD2<UInt32>

  package init(seed: UInt64) {
    key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
  }

  /// Four random words for a place of four words.
  package func words(_ place: SIMD4<UInt32>) -> SIMD4<UInt32> {
    var (counter, key) = (place, key)
    for _ in 0..<10 {
      let a = UInt64(0xD251_1F53) * UInt64(counter.x)
      let b = UInt64(0xCD9E_8D57) * UInt64(counter.z)
      counter = SIMD4(
        UInt32(truncatingIfNeeded: b >> 32) ^ counter.y ^ key.x, UInt32(truncatingIfNeeded: b),
        UInt32(truncatingIfNeeded: a >> 32) ^ counter.w ^ key.y, UInt32(truncatingIfNeeded: a))
      key = key &+ SIMD2(0x9E37_79B9, 0xBB67_AE85)
    }
    return counter
  }

  /// A number in [0, 1) with 24 random bits, for the code of `codebook` at `step`.
  package func uniform(step: Int, codebook: Int) -> Float {
    let place = UInt64(bitPattern: Int64(step))
    let drawn = words(
      SIMD4(
        UInt32(truncatingIfNeeded: place), UInt32(truncatingIfNeeded: place >> 32),
        UInt32(truncatingIfNeeded: codebook), 0))
    return Float(drawn.x >> 8) * 0x1p-24
  }

  /// Independent standard normal numbers, `count` of them, for `step`: Box–Muller.
  package func normal(step: Int, count: Int) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(count + 1)
    for pair in 0..<(count + 1) / 2 {
      let drawn = words(
        SIMD4(
          UInt32(truncatingIfNeeded: step), UInt32(truncatingIfNeeded: pair), 2,
          UInt32(truncatingIfNeeded: pair >> 32)))
      // The radius' number lies in (0, 1]: 0 has no logarithm.
      let radius = (-2 * Double.log((Double(drawn.x) + 1) * 0x1p-32)).squareRoot()
      let angle = 2 * Double.pi * Double(drawn.y) * 0x1p-32
      result.append(Float(radius * Double.cos(angle)))
      result.append(Float(radius * Double.sin(angle)))
    }
    if result.count > count { result.removeLast() }
    return result
  }
}
