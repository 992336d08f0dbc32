// How much a knob pushes at strength 1, and which dose a model gets: the grid, and the rule that chooses from it.
//
// Source: METHOD 4 and 7. The paper has one dose (α 5, every fifth step) for models of 384 heads and more; the rule is ours.

import Engine
import Foundation
import Models

/// α, period and direction.
struct Dose: Codable, Equatable {
  var alpha: Float
  var period: Int
  var direction: DirectionKind = .probe

  static let ranges = (alpha: Float(0.001)...1000, period: 1...500)

  init(alpha: Float, period: Int, direction: DirectionKind = .probe) {
    self.alpha = alpha
    self.period = period
    self.direction = direction
  }

  /// "20/1", "5/1/mean-difference"
  init(text: String) throws {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard (2...3).contains(parts.count), let alpha = Float(parts[0]), let period = Int(parts[1]),
      Self.ranges.alpha.contains(alpha), Self.ranges.period.contains(period),
      let direction = parts.count == 2 ? .probe : DirectionKind(rawValue: parts[2])
    else {
      throw CommandError.badValue(
        option: "--dose or --chosen", value: text,
        expected: "ALPHA/PERIOD or ALPHA/PERIOD/DIRECTION, such as 20/1 or 5/1/mean-difference")
    }
    self.init(alpha: alpha, period: period, direction: direction)
  }

  /// What a knob at strength 2 gives.
  var doubled: Dose { Dose(alpha: 2 * alpha, period: period, direction: direction) }

  /// "α 5 s 1 mean difference"
  var name: String {
    "α \(String(format: "%g", alpha)) s \(period)"
      + (direction == .meanDifference ? " mean difference" : "")
  }

  /// As `init(text:)` reads it.
  var text: String {
    "\(String(format: "%g", alpha))/\(period)"
      + (direction == .probe ? "" : "/\(direction.rawValue)")
  }

  /// Both directions, from half the paper's dose to eight times it, every fifth step and every step.
  static let grid: [Dose] = DirectionKind.allCases.flatMap { direction in
    [5, 1].flatMap { period in
      [2.5, 5, 10, 20, 40].map { Dose(alpha: $0, period: period, direction: direction) }
    }
  }
}

/// Chooses a dose from what a grid gave on validation prompts [ours, written down before the figures were seen]:
///
/// 1. At strength 1 the trait is heard: presence by the judge at least 30 points above no steering in the mean of the
///    traits, and at least 15 for each of them.
/// 2. At strength −1 it is gone: behind prompts with the trait its presence is below a quarter of the unsteered one.
/// 3. At strength 2 it is still music: no further from real songs with the trait (Fréchet distance) than unsteered music is.
///
/// Among the doses that meet all of them the one nearest to real songs is taken; where none does, the nearest of those that
/// meet most of them.
struct DoseChoice {
  /// What one dose gave; presence per trait, distance in the mean of the traits.
  struct Trial {
    var dose: Dose
    var presence: [Double]
    var distance: Double
  }

  static let rule = """
    Chosen is the dose nearest to real songs among those with (1) presence at least 30 points above none in the mean and 15 \
    for every trait, (2) at strength −1 less than a quarter of the unsteered presence behind prompts with the trait, (3) at \
    strength 2 a distance no larger than without steering; where none meets all three, the nearest of those that meet most.
    """

  /// Presence, per trait, and mean distance without steering.
  var unsteered: (presence: [Double], distance: Double)

  /// Whether a dose is heard, rule 1.
  func isHeard(_ trial: Trial) -> Bool {
    let gains = zip(trial.presence, unsteered.presence).map { $0 - $1 }
    guard !gains.isEmpty else { return false }
    return gains.reduce(0, +) / Double(gains.count) >= 0.3 && gains.allSatisfy { $0 >= 0.15 }
  }

  /// The dose that the rule takes; nil without trials.
  ///
  /// - Parameters:
  ///   - remaining: presence at strength −1 over the unsteered one behind prompts with the traits; asked, as `doubled`
  ///     is, from the nearest dose on until one meets everything.
  ///   - doubled: mean distance at twice the dose.
  func dose(
    among trials: [Trial], remaining: (Dose) throws -> Double, doubled: (Dose) throws -> Double
  ) rethrows -> Dose? {
    let sorted = trials.sorted { $0.distance < $1.distance }
    let heard = sorted.filter(isHeard)
    guard !heard.isEmpty else {
      return trials.max { $0.presence.reduce(0, +) < $1.presence.reduce(0, +) }?.dose
    }
    var best: (dose: Dose, met: Int)?
    for trial in heard {
      let isGone = try remaining(trial.dose) < 0.25
      let isMusic = try doubled(trial.dose) <= unsteered.distance
      let met = (isGone ? 1 : 0) + (isMusic ? 1 : 0)
      if met == 2 { return trial.dose }
      if met > best?.met ?? -1 { best = (trial.dose, met) }
    }
    return best?.dose
  }
}
