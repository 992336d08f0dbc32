// One trait made ready for one model: what is added to each layer, and what is read.
//
// The output projection is linear without bias, so Σ_h W_O[l,h] · w·σ·u is one vector of C floats per
// layer; a step only scales and adds it. In: probes (L, H, D) and the model's output projections.
// Out: vectors (L, C) for soft and for hard weights, and the monitor probes (k, D).
// Source: paper Eq. 3 and 4; METHOD 4.

package import Kernels

/// How a trait's probes become a direction; changing one of these means preparing it again.
package struct DirectionOptions: Sendable, Equatable {
  /// Which vector is added.
  package var kind: DirectionKind
  /// Exponent p of the soft weights, ≥ 0.
  package var power: Float
  /// K_top: heads with weight 1 under hard weights, ≥ 1.
  package var hardHeads: Int
  /// k: heads that are read, ≥ 1.
  package var monitors: Int

  /// The paper's defaults; `hardHeads` is the published default for language.
  package init(
    kind: DirectionKind = .probe, power: Float = 3, hardHeads: Int = 48, monitors: Int = 16
  ) {
    self.kind = kind
    self.power = power
    self.hardHeads = hardHeads
    self.monitors = monitors
  }
}

/// A direction, immutable and shared between threads.
package final class SteeringDirection: Sendable {
  package let layers: Int
  /// C = H · D.
  package let width: Int
  package let headDimension: Int
  package let options: DirectionOptions
  /// w of every head under soft weights (L, H).
  package let softWeights: [Float]
  /// The heads that are read, l·H + h, best first (k).
  package let monitors: [Int]
  /// τ: the reading from which the trait counts as present.
  package let threshold: Float

  let soft: FloatBuffer  // (L, C)
  let hard: FloatBuffer  // (L, C)
  let monitorTheta: FloatBuffer  // (k, D)
  let monitorBias: [Float]  // (k)

  /// Projects the probes of all heads through the model's output projections.
  ///
  /// - Parameters:
  ///   - probes: the trait, of the model's shape.
  ///   - projections: W_O of every layer (C outputs, C inputs), as the model uses them.
  package init(
    probes: ProbeSet, options: DirectionOptions, projections: [WeightMatrix], pool: ComputePool
  ) {
    let (layers, heads, dimension) = (probes.layers, probes.heads, probes.headDimension)
    let width = heads * dimension
    precondition(projections.count == layers, "one output projection per layer")
    self.layers = layers
    self.width = width
    self.headDimension = dimension
    self.options = options
    softWeights = probes.softWeights(power: options.power)
    monitors = probes.bestHeads(count: min(max(options.monitors, 1), probes.headCount))
    threshold = probes.threshold(monitors: monitors)

    let directions = probes.scaledDirections(options.kind)  // (L, H, D)
    let hardWeights = probes.hardWeights(count: options.hardHeads)
    var soft = FloatBuffer(count: layers * width)
    var hard = FloatBuffer(count: layers * width)
    var input = FloatBuffer(count: 2 * width)  // (2, C): soft, hard
    var output = FloatBuffer(count: 2 * width)
    for layer in 0..<layers {
      do {
        var x = input.mutableSpan
        for index in 0..<width {
          let head = layer * heads + index / dimension
          let value = directions[layer * width + index]
          x[index] = value * softWeights[head]
          x[width + index] = value * hardWeights[head]
        }
      }
      var y = output.mutableSpan
      projections[layer].multiply(input.span, count: 2, into: &y, pool: pool)
      var softRow = soft.mutableSpan(layer * width..<(layer + 1) * width)
      for index in 0..<width { softRow[index] = y[index] }
      var hardRow = hard.mutableSpan(layer * width..<(layer + 1) * width)
      for index in 0..<width { hardRow[index] = y[width + index] }
    }
    self.soft = soft
    self.hard = hard

    var theta = FloatBuffer(count: monitors.count * dimension)
    var rows = theta.mutableSpan
    for (row, head) in monitors.enumerated() {
      for d in 0..<dimension { rows[row * dimension + d] = probes.theta[head * dimension + d] }
    }
    monitorTheta = theta
    monitorBias = monitors.map { probes.bias[$0] }
  }
}
