// Linear probes on the heads of self-attention: what a trait bundle holds for one trait.
//
// One probe per head reads z (D floats, METHOD 3: the head's output before the output projection) and
// says how likely the trait is: p = sigmoid(θ·z + b). The same numbers give the direction in which
// the head is pushed. Source: paper 2.2 and 3.1; σ with the unit direction from the published code of
// the original intervention. No training here (ProbeTraining) and no files (Engine/PresetBundle).

import RealModule

/// Which vector of a head is added when it is steered.
package enum DirectionKind: String, Sendable, CaseIterable, Codable {
  /// θ/‖θ‖ of the probe.
  case probe
  /// Mean of the positive z minus mean of the negative z, normalised.
  case meanDifference = "mean-difference"
}

/// The probes of one trait on all heads of a model. Heads are counted l·H + h.
package struct ProbeSet: Sendable, Equatable {
  /// L.
  package let layers: Int
  /// H.
  package let heads: Int
  /// D.
  package let headDimension: Int
  /// θ of every head (L, H, D).
  package var theta: [Float]
  /// b of every head (L, H).
  package var bias: [Float]
  /// Standard deviation of (θ/‖θ‖)·z over training and test data together (L, H), > 0.
  package var sigma: [Float]
  /// Share of training examples told right (L, H), 0 … 1.
  package var accuracyTrain: [Float]
  /// Share of held-out examples told right (L, H), 0 … 1.
  package var accuracyTest: [Float]
  /// Mean of positive z minus mean of negative z (L, H, D).
  package var meanDifference: [Float]
  /// Standard deviation of z along the mean difference (L, H); empty when a bundle does not name it,
  /// then `sigma` stands for it [ours].
  package var meanDifferenceSigma: [Float]

  /// Wraps arrays of the stated shapes; sizes that do not fit are a programmer's mistake.
  package init(
    layers: Int, heads: Int, headDimension: Int, theta: [Float], bias: [Float], sigma: [Float],
    accuracyTrain: [Float], accuracyTest: [Float], meanDifference: [Float],
    meanDifferenceSigma: [Float] = []
  ) {
    let count = layers * heads
    precondition(theta.count == count * headDimension && meanDifference.count == theta.count)
    precondition(bias.count == count && sigma.count == count)
    precondition(accuracyTrain.count == count && accuracyTest.count == count)
    precondition(meanDifferenceSigma.isEmpty || meanDifferenceSigma.count == count)
    self.layers = layers
    self.heads = heads
    self.headDimension = headDimension
    self.theta = theta
    self.bias = bias
    self.sigma = sigma
    self.accuracyTrain = accuracyTrain
    self.accuracyTest = accuracyTest
    self.meanDifference = meanDifference
    self.meanDifferenceSigma = meanDifferenceSigma
  }

  /// L·H.
  package var headCount: Int { layers * heads }

  /// Soft weights (Eq. 4): ((acc − min)/(max − min))^power over the held-out accuracies (L, H). When
  /// all heads are equally accurate, or power is 0, all weigh 1 [ours].
  package func softWeights(power: Float) -> [Float] {
    let low = accuracyTest.min() ?? 0
    let high = accuracyTest.max() ?? 0
    // Float.pow(0, 0) is not a number.
    guard high > low, power > 0 else { return [Float](repeating: 1, count: headCount) }
    return accuracyTest.map { Float.pow(($0 - low) / (high - low), power) }
  }

  /// Hard weights of the original intervention: 1 for the `count` most accurate heads, else 0 (L, H).
  package func hardWeights(count: Int) -> [Float] {
    var weights = [Float](repeating: 0, count: headCount)
    for head in bestHeads(count: count) { weights[head] = 1 }
    return weights
  }

  /// The `count` heads with the highest held-out accuracy, best first; of equals the earlier head.
  package func bestHeads(count: Int) -> [Int] {
    let order = (0..<headCount).sorted {
      (accuracyTest[$0], -$0) > (accuracyTest[$1], -$1)
    }
    return Array(order.prefix(max(count, 0)))
  }

  /// τ (Eq. 6): median minus population standard deviation of the training accuracies of `monitors`.
  package func threshold(monitors: [Int]) -> Float {
    guard !monitors.isEmpty else { return 0 }
    let values = monitors.map { Double(accuracyTrain[$0]) }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance =
      values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    let sorted = values.sorted()
    let median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    return Float(median - variance.squareRoot())
  }

  /// u·σ of every head (L, H, D): the unit direction times the spread along it. A head without a
  /// direction (all zeros) gives zeros.
  package func scaledDirections(_ kind: DirectionKind) -> [Float] {
    let source = kind == .probe ? theta : meanDifference
    let spread =
      kind == .meanDifference && !meanDifferenceSigma.isEmpty ? meanDifferenceSigma : sigma
    var result = source
    for head in 0..<headCount {
      let range = head * headDimension..<(head + 1) * headDimension
      let squares = range.reduce(0.0) { $0 + Double(source[$1]) * Double(source[$1]) }
      let scale = squares > 0 ? Float(Double(spread[head]) / squares.squareRoot()) : 0
      for index in range { result[index] = source[index] * scale }
    }
    return result
  }
}
