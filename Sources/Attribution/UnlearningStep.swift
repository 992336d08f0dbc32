// Unlearning in closed form: one step from the trained parameters.
//
//   Θ = Θ0 + (η / N) · ∇𝓛(ẑ, Θ0) / (F + λ · mean(F)),   mean per tensor
//
// Source: METHOD 6 [paper: poster]; the damping λ [published code of the follow-up].

import Kernels
package import Models

/// The step's sizes.
package struct UnlearningStep: Sendable, Equatable, Codable {
  /// N: number of training items.
  package var items: Int
  /// η.
  package var learningRate: Double
  /// λ, relative to each tensor's mean Fisher information.
  package var damping: Double

  package init(items: Int, learningRate: Double, damping: Double = 0.1) {
    self.items = items
    self.learningRate = learningRate
    self.damping = damping
  }

  /// The unlearned parameters.
  ///
  /// A tensor whose Fisher information is zero everywhere stays as it is: the training data say
  /// nothing about it, so a step there has no bound.
  /// - Parameters:
  ///   - gradient: mean gradient of the item, in the layout's order.
  ///   - fisher: diagonal Fisher information, in the layout's order.
  ///   - wanted: the tensors that change.
  package func apply(
    to start: Parameters, gradient: Span<Float>, fisher: Span<Float>, wanted: [Bool]
  ) -> Parameters {
    let layout = start.layout
    precondition(gradient.count == layout.count && fisher.count == layout.count)
    let values = WorkBuffer(count: layout.count)
    values.copy(from: start.values.span)
    var target = values.mutableSpan
    let rate = learningRate / Double(items)
    for (entry, isWanted) in zip(layout.entries, wanted) where isWanted {
      var sum = 0.0
      for i in entry.range { sum += Double(unsafe fisher[unchecked: i]) }
      let floor = damping * sum / Double(entry.range.count)
      guard sum > 0 else { continue }
      for i in entry.range {
        let step =
          unsafe rate * Double(gradient[unchecked: i])
          / (Double(fisher[unchecked: i]) + floor)
        unsafe target[unchecked: i] += step.isFinite ? Float(step) : 0
      }
    }
    return Parameters(layout: layout, values: values)
  }

  /// ‖Θ − Θ0‖ over ‖Θ0‖ of the tensors that changed.
  package static func relativeNorm(of end: Parameters, from start: Parameters, wanted: [Bool])
    -> Double
  {
    var difference = 0.0
    var size = 0.0
    for (entry, isWanted) in zip(start.layout.entries, wanted) where isWanted {
      for i in entry.range {
        let a = Double(start.values.span[i])
        let b = Double(end.values.span[i])
        difference += (b - a) * (b - a)
        size += a * a
      }
    }
    return size == 0 ? 0 : (difference / size).squareRoot()
  }
}
