// How hard a direction pushes at an intervention: the self-monitoring rule, and its relatives.
//
// Pure functions of a few numbers. Source: paper 3.4 (Eq. 5 to 8) with the border between its first two
// cases restored, METHOD 4; `decay` is the other reading of the same text.

/// The ways to steer.
package enum SteeringMethod: String, Sendable, CaseIterable, Codable, BitwiseCopyable {
  /// Soft weights, every `period` steps, gain from the model's own reading.
  case smitin
  /// The original intervention: hard weights, every step, gain 1.
  case iti
  /// `iti` whose gain falls linearly to 0 over the clip.
  case itiDecay = "iti-decay"
  /// Reads, never pushes.
  case none
}

/// Which of a direction's two weightings of the heads pushes.
package enum SteeringWeighting: String, Sendable, CaseIterable, Codable, BitwiseCopyable {
  /// Soft weights under `smitin`, hard ones under the original intervention.
  case usual
  case soft
  case hard
}

/// What the gain does while the trait is not there yet [ours: the paper's text leaves it open].
package enum UpdateRule: String, Sendable, CaseIterable, Codable, BitwiseCopyable {
  /// Below the threshold: a rising reading lowers the gain, any other resets it to 1.
  case reset
  /// Below the threshold the gain follows the reading all the time, and is reset only after it was 0.
  case decay

  /// g of an intervention that is not the first.
  ///
  /// - Parameters:
  ///   - gain: g of the intervention before.
  ///   - reading: C of the step before, mirrored for removal; NaN when nothing was read.
  ///   - previous: C that the intervention before used; NaN when nothing was read.
  ///   - threshold: τ.
  package func next(gain: Float, reading: Float, previous: Float, threshold: Float) -> Float {
    if reading >= threshold { return 0 }
    let rise = reading - previous
    switch self {
    case .reset: return rise > 0 ? (1 - rise) * gain : 1
    case .decay: return gain == 0 || rise.isNaN ? 1 : (1 - rise) * gain
    }
  }
}
