// Random numbers for tests: the same on every machine.

/// SplitMix64 with floats in −1 … 1 and roughly normal ones.
package struct TestRandom: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in −1 … 1.
  package mutating func uniform() -> Float { Float.random(in: -1...1, using: &self) }

  /// `count` values of about normal distribution (sum of four uniform ones), deviation `scale`.
  package mutating func normal(_ count: Int, scale: Float = 1) -> [Float] {
    var values = [Float]()
    values.reserveCapacity(count)
    for _ in 0..<count {
      values.append(scale * 0.866 * (uniform() + uniform() + uniform() + uniform()))
    }
    return values
  }
}
