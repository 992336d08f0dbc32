// Keeps the loudness of endless music near where it began: gently, and as a pure function of the sound.
//
// Short-term loudness over 3 s, K-weighted as in ITU-R BS.1770 (two second-order filters), block by
// block of 20 ms; the gain moves by at most 1 dB per second inside ±9 dB. The whole state is one value,
// so that it can be saved with every step and put back. The rule is ours.

import RealModule

/// The state of the guard. Copy it to remember a moment.
package struct LoudnessGuard: Sendable {
  /// Blocks of 20 ms in 3 s.
  private static let blocks = 150

  private let isOn: Bool
  private let target: Float
  private let shelf: Biquad
  private let highPass: Biquad
  private var filters: [(Biquad.Memory, Biquad.Memory)]
  private var energies = InlineArray<150, Float>(repeating: 0)
  private var position = 0
  private var filled = 0
  private var total: Double = 0
  private var decibels: Float = 0

  /// - Parameters:
  ///   - rate: samples per second.
  ///   - target: loudness to hold in LUFS, or nil to change nothing.
  package init(rate: Int, channels: Int, target: Double?) {
    isOn = target != nil
    self.target = Float(target ?? 0)
    shelf = Biquad.shelf(rate: Double(rate))
    highPass = Biquad.highPass(rate: Double(rate))
    filters = Array(repeating: (Biquad.Memory(), Biquad.Memory()), count: channels)
  }

  /// The gain that the next block gets, in decibels.
  package var gain: Float { decibels }

  /// Loudness of the last 3 s in LUFS; minus infinity before there is any.
  package var shortTerm: Float {
    let mean = total / Double(max(filled, 1))
    return mean > 1e-10 ? Float(-0.691 + 10 * Double.log10(mean)) : -.infinity
  }

  /// Loudness in LUFS of the last 3 s of a mono sound; minus infinity for silence.
  package mutating func measure(_ sound: ArraySlice<Float>) -> Float {
    var position = sound.startIndex
    while position < sound.endIndex {
      let end = min(position + 640, sound.endIndex)
      var block = Array(sound[position..<end])
      var span = block.mutableSpan
      process(&span, frames: end - position)
      position = end
    }
    return shortTerm
  }

  /// Applies the gain to one block of interleaved frames and listens to it.
  package mutating func process(_ block: inout MutableSpan<Float>, frames: Int) {
    guard isOn, frames > 0 else { return }
    let channels = filters.count
    var energy: Float = 0
    for channel in 0..<channels {
      var (first, second) = filters[channel]
      var sum: Float = 0
      for index in 0..<frames {
        let weighted = highPass.run(shelf.run(block[index * channels + channel], &first), &second)
        sum += weighted * weighted
      }
      filters[channel] = (first, second)
      energy += sum / Float(frames)
    }
    total += Double(energy - energies[position])
    energies[position] = energy
    position = (position + 1) % Self.blocks
    filled = min(filled + 1, Self.blocks)
    let before = Float.exp(decibels * 0.115129255)
    let loudness = shortTerm
    // Silence is music too: it is not turned up.
    let wanted = loudness > -50 ? min(max(target - loudness, -9), 9) : 0
    // Within 2 LU nothing moves.
    let error = abs(wanted - decibels) < 2 && filled == Self.blocks ? 0 : wanted - decibels
    decibels += filled < Self.blocks ? 0 : min(max(error, -0.02), 0.02)
    let after = Float.exp(decibels * 0.115129255)
    guard before != 1 || after != 1 else { return }
    for index in 0..<frames {
      let level = before + (after - before) * (Float(index) / Float(frames))
      for channel in 0..<channels { block[index * channels + channel] *= level }
    }
  }
}

/// A second-order filter, direct form II transposed.
private struct Biquad: Sendable {
  struct Memory: Sendable {
    var a: Float = 0
    var b: Float = 0
  }

  let b0: Float
  let b1: Float
  let b2: Float
  let a1: Float
  let a2: Float

  func run(_ x: Float, _ memory: inout Memory) -> Float {
    let y = b0 * x + memory.a
    memory.a = b1 * x - a1 * y + memory.b
    memory.b = b2 * x - a2 * y
    return y
  }

  /// The head's shelf of BS.1770, by the bilinear transform at any rate.
  static func shelf(rate: Double) -> Biquad {
    let (frequency, decibels, q) = (1681.974450955533, 3.999843853973347, 0.7071752369554196)
    let k = Double.tan(.pi * frequency / rate)
    let vh = Double.pow(10, decibels / 20)
    let vb = Double.pow(vh, 0.4996667741545416)
    let a0 = 1 + k / q + k * k
    return Biquad(
      b0: Float((vh + vb * k / q + k * k) / a0), b1: Float(2 * (k * k - vh) / a0),
      b2: Float((vh - vb * k / q + k * k) / a0), a1: Float(2 * (k * k - 1) / a0),
      a2: Float((1 - k / q + k * k) / a0))
  }

  /// The high pass of BS.1770.
  static func highPass(rate: Double) -> Biquad {
    let (frequency, q) = (38.13547087602444, 0.5003270373238773)
    let k = Double.tan(.pi * frequency / rate)
    let a0 = 1 + k / q + k * k
    return Biquad(
      b0: Float(1 / a0), b1: Float(-2 / a0), b2: Float(1 / a0), a1: Float(2 * (k * k - 1) / a0),
      a2: Float((1 - k / q + k * k) / a0))
  }
}
