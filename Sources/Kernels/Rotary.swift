// Rotary position embedding of part of every head, forward and backward.
//
// Source: stable-audio-tools `RotaryEmbedding` and `apply_rotary_pos_emb`: the first R dimensions of
// a head are turned, dimension i together with i + R/2, by the angle position · 10000^(−2i/R).

import RealModule

/// Cosines and sines for a number of positions.
package struct RotaryTable: Sendable {
  /// Dimensions that are turned, R.
  package let dimensions: Int
  private let cosines: [Float]  // (positions, R/2)
  private let sines: [Float]  // (positions, R/2)

  /// - Parameters:
  ///   - positions: how many.
  ///   - inverseFrequencies: R/2 angles per position, radians.
  package init(positions: Int, inverseFrequencies: [Float]) {
    dimensions = 2 * inverseFrequencies.count
    var cosines: [Float] = []
    var sines: [Float] = []
    for position in 0..<positions {
      for frequency in inverseFrequencies {
        let angle = Float(position) * frequency
        cosines.append(Float.cos(angle))
        sines.append(Float.sin(angle))
      }
    }
    self.cosines = cosines
    self.sines = sines
  }

  /// Turns the heads in place; `backward` turns them the other way, which is the gradient.
  ///
  /// - Parameters:
  ///   - x: `count` rows at `rows`, each with `heads` heads of `dimension` side by side; row i is
  ///     position i.
  package func turn(
    _ x: inout MutableSpan<Float>, rows: Rows, count: Int, heads: Int, dimension: Int,
    backward: Bool = false
  ) {
    let half = dimensions / 2
    precondition(count * half <= cosines.count && dimensions <= dimension, "table too small")
    for position in 0..<count {
      for head in 0..<heads {
        let start = rows.offset + position * rows.stride + head * dimension
        for i in 0..<half {
          let c = cosines[position * half + i]
          let s = backward ? -sines[position * half + i] : sines[position * half + i]
          let a = x[start + i]
          let b = x[start + half + i]
          x[start + i] = a * c - b * s
          x[start + half + i] = b * c + a * s
        }
      }
    }
  }
}
