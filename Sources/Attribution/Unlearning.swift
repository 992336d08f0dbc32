// Unlearning a piece: the closed-form step at a given or a searched size, or several gradient steps on
//
//   𝓛_unlearn(Θ) = −𝓛(ẑ, Θ) + (N/2) (Θ − Θ0)ᵀ F (Θ − Θ0)
//
// Source: METHOD 6 [paper: poster]; the search for the step that raises the piece's own loss by a chosen
// share is METHOD 7 [ours].

import Foundation
import Kernels
package import Models

/// How a piece is unlearned.
package struct UnlearningSettings: Sendable, Equatable, Codable {
  package enum Method: String, Sendable, Codable, CaseIterable { case step, iterated }

  package var method = Method.step
  package var layers = LayerChoice.allTransformer
  /// η; nil searches for the step that `rise` asks for.
  package var learningRate: Double?
  /// By how much of itself the piece's own loss rises, when the step is searched.
  package var rise = 0.001
  /// λ, relative to each tensor's mean Fisher information.
  package var damping = 0.1
  /// Gradient steps of the iterated method.
  package var steps = 8

  package init() {}
}

/// What unlearning did.
package struct Unlearned {
  package let parameters: Parameters
  /// η of the step (for the iterated method, of each of its steps).
  package let learningRate: Double
  /// The piece's own loss before and after, on the draws that were unlearned.
  package let ownBefore: Double
  package let ownAfter: Double
  /// ‖Θ − Θ0‖ / ‖Θ0‖ over the tensors that changed.
  package let relativeNorm: Double
}

/// Unlearns one piece.
package struct Unlearning {
  package let runner: LossRunner
  package let settings: UnlearningSettings
  package let fisher: FisherInformation
  /// N: number of training items.
  package let items: Int

  package init(
    runner: LossRunner, settings: UnlearningSettings, fisher: FisherInformation, items: Int
  ) {
    self.runner = runner
    self.settings = settings
    self.fisher = fisher
    self.items = items
  }

  /// - Parameters:
  ///   - draws: of the piece; the gradient is their mean.
  ///   - name: of the piece, for messages.
  ///   - progress: called now and then; throws to stop.
  /// - Throws: `AttributionError.riseOutOfReach`, `.lossNotFinite`.
  package func unlearn(_ draws: [LossDraw], name: String, progress: () throws -> Void) throws
    -> Unlearned
  {
    let start = runner.model.parameters
    let wanted = settings.layers.wanted(of: start.layout)
    let (gradient, before) = try runner.gradient(of: draws, name: name, start, wanted: wanted)
    func after(_ rate: Double) throws -> (Parameters, Double) {
      try progress()
      let end =
        settings.method == .step
        ? step(rate).apply(
          to: start, gradient: gradient.span, fisher: fisher.values.span, wanted: wanted)
        : try iterate(draws, name: name, rate, first: gradient, wanted)
      return (end, try ownLoss(draws, name: name, end))
    }
    let rate: Double
    if let given = settings.learningRate {
      rate = given
    } else {
      rate = try search(from: before) { try after($0).1 }
    }
    let (end, ownAfter) = try after(rate)
    return Unlearned(
      parameters: end, learningRate: rate, ownBefore: before, ownAfter: ownAfter,
      relativeNorm: UnlearningStep.relativeNorm(of: end, from: start, wanted: wanted))
  }

  private func step(_ rate: Double) -> UnlearningStep {
    UnlearningStep(items: items, learningRate: rate, damping: settings.damping)
  }

  /// The mean over single draws, each a loss item of its own, so that all threads take part.
  private func ownLoss(_ draws: [LossDraw], name: String, _ parameters: Parameters) throws -> Double
  {
    let names = draws.map { _ in name }
    let losses = try runner.losses(of: draws.map { [$0] }, names: names, parameters)
    return losses.reduce(0, +) / Double(losses.count)
  }

  /// The η at which the own loss has risen by the wanted share: doubling from a small step until it is
  /// passed, then halving the interval in the logarithm. The loss need not be monotonic: the first
  /// crossing is taken.
  private func search(from before: Double, _ loss: (Double) throws -> Double) throws -> Double {
    let target = before * (1 + settings.rise)
    var low = Double(items) * 1e-14
    var reached = 0.0
    var high: Double?
    for _ in 0..<40 {
      let found = try finite { try loss(low * 4) }
      if found.isFinite { reached = max(reached, (found - before) / before) }
      if found >= target {
        high = low * 4
        break
      }
      low *= 4
    }
    guard var high else {
      throw AttributionError.riseOutOfReach(wanted: settings.rise, reached: reached)
    }
    for _ in 0..<12 {
      let middle = (low * high).squareRoot()
      let found = try finite { try loss(middle) }
      if abs(found - target) < 0.02 * (target - before) { return middle }
      if found >= target { high = middle } else { low = middle }
    }
    return (low * high).squareRoot()
  }

  /// A loss that is not a number means that the step was far too large.
  private func finite(_ loss: () throws -> Double) throws -> Double {
    do { return try loss() } catch AttributionError.lossNotFinite { return .infinity }
  }

  /// `settings.steps` steps of size η / N down 𝓛_unlearn, preconditioned by 1 / (F + λ mean F) as the
  /// closed form is; the first is the closed form at the same η over the number of steps.
  private func iterate(
    _ draws: [LossDraw], name: String, _ rate: Double, first: WorkBuffer, _ wanted: [Bool]
  ) throws -> Parameters {
    let start = runner.model.parameters
    let single = step(rate / Double(settings.steps))
    var current = start
    for index in 0..<settings.steps {
      let gradient =
        index == 0
        ? first : try runner.gradient(of: draws, name: name, current, wanted: wanted).gradient
      // ∇𝓛_unlearn = −∇𝓛(ẑ) + N F (Θ − Θ0); the step goes down it.
      let direction = WorkBuffer(count: start.layout.count)
      var target = direction.mutableSpan
      for (entry, isWanted) in zip(start.layout.entries, wanted) where isWanted {
        for i in entry.range {
          let away = current.values.span[i] - start.values.span[i]
          target[i] = gradient.span[i] - Float(items) * fisher.values.span[i] * away
        }
      }
      current = single.apply(
        to: current, gradient: direction.span, fisher: fisher.values.span, wanted: wanted)
    }
    return current
  }
}
