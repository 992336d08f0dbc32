// What gives way, and in which order, when the machine is slower than the music. Pure bookkeeping.
//
// 1. Less music is kept ready: when a knob turns, less has to be made again.
// 2. Steering's extras are left out: knobs at rest are not read any more, so their meters stand still.
// 3. Silence where music is missing (the audio callback does that by itself), and the music waits.
//
// A rung is told when it is reached, once; all are left together, when the machine has kept up for a while.
// Source: ours.

/// The state of the ladder.
struct OverloadLadder: Sendable {
  /// What gives way.
  enum Rung: Int, Sendable, CaseIterable {
    case none, lookahead, extras, silence
  }

  private(set) var rung = Rung.none
  private var stepsHere = 0
  private var calmSteps = 0

  /// From this share of the music's own time on the work counts as too slow, below `calm` as fast enough.
  static let strained = 0.95
  static let calm = 0.85
  /// Steps on the first rung before the second: half a second. Steps of calm before all is as it was: 5 s.
  static let patience = 25
  static let rest = 250

  /// How much music is to be kept ready, in seconds.
  /// - Parameters:
  ///   - wanted: what the player set.
  ///   - least: below which nothing could be heard in time.
  func lookahead(wanted: Double, least: Double) -> Double {
    rung == .none ? wanted : min(wanted, max(0.4 * wanted, least))
  }

  /// Looks at the work after a step.
  /// - Parameters:
  ///   - factor: seconds of work per second of music.
  ///   - ready: seconds of music ahead of the play head.
  ///   - target: how much there ought to be now.
  ///   - isMissing: whether music was due and not there since the last step.
  /// - Returns: rungs reached now, lowest first; `.none` when all is as it was again.
  mutating func step(factor: Double, ready: Double, target: Double, isMissing: Bool) -> [Rung] {
    stepsHere += 1
    var reached: [Rung] = []
    func climbs() -> Bool {
      guard factor > Self.strained, ready < 0.5 * target else { return false }
      return rung == .none || (rung == .lookahead && stepsHere > Self.patience)
    }
    let goal = isMissing ? Rung.silence : climbs() ? Rung(rawValue: rung.rawValue + 1)! : rung
    while rung.rawValue < goal.rawValue {
      rung = Rung(rawValue: rung.rawValue + 1)!
      reached.append(rung)
      stepsHere = 0
    }
    guard rung != .none else { return [] }
    if isMissing || factor > Self.strained {
      calmSteps = 0
    } else if factor < Self.calm, ready > 0.7 * target {
      calmSteps += 1
    }
    if calmSteps >= Self.rest {
      self = OverloadLadder()
      return [.none]
    }
    return reached
  }
}
