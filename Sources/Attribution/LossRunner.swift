// Losses and gradients of many draws, side by side on a pool's threads.
//
// Every draw is computed by itself on one thread, so a loss does not depend on what else is in the
// batch. Sums of gradients go over two lanes in a fixed order, whatever the number of threads.

package import Kernels
package import Models

/// Computes losses and gradients with all threads of a pool. Used from one thread.
package final class LossRunner {
  package let model: LossModel
  private let pool: ComputePool
  private let forward: [LossEvaluator]
  private let backward: [LossEvaluator]

  /// Lanes of a sum of gradients; fixed, so that sums are the same on any machine.
  package static let lanes = 2

  /// - Parameters:
  ///   - threads: how many compute.
  ///   - keepsLayers: false computes activations again in backward passes, for less memory.
  package init(_ model: LossModel, threads: Int, keepsLayers: Bool = true) {
    self.model = model
    pool = ComputePool(threads: threads)
    forward = (0..<threads).map { _ in model.makeEvaluator(keepsLayers: false) }
    backward = (0..<Self.lanes).map { _ in model.makeEvaluator(keepsLayers: keepsLayers) }
  }

  /// The mean loss over each item's draws.
  /// - Throws: `AttributionError.lossNotFinite`.
  package func losses(of items: [[LossDraw]], names: [String], _ parameters: Parameters) throws
    -> [Double]
  {
    let results = Results(count: items.count)
    let lanes = min(forward.count, items.count)
    pool.run(chunks: lanes) { lane in
      for place in stride(from: lane, to: items.count, by: lanes) {
        var total = 0.0
        for draw in items[place] { total += forward[lane].loss(of: draw, parameters) }
        results.set(place, total / Double(items[place].count))
      }
    }
    for place in items.indices where !results.values[place].isFinite {
      throw AttributionError.lossNotFinite(item: names[place])
    }
    return results.values
  }

  /// Adds every draw's gradient (or its square) to the lanes: draw i to lane i mod 2.
  package func accumulate(
    _ draws: [LossDraw], _ parameters: Parameters, into lanes: [GradientAccumulator]
  )
    -> [Double]
  {
    precondition(lanes.count == Self.lanes, "gradients are summed in \(Self.lanes) lanes")
    let results = Results(count: draws.count)
    pool.run(chunks: Self.lanes) { lane in
      for place in stride(from: lane, to: draws.count, by: Self.lanes) {
        results.set(
          place, backward[lane].gradient(of: draws[place], parameters, into: lanes[lane]))
      }
    }
    return results.values
  }

  /// Adds the gradients of each item's draws to its own sums.
  /// - Throws: `AttributionError.lossNotFinite`.
  func gradients(of items: [[LossDraw]], names: [String], into sums: [GradientAccumulator]) throws {
    precondition(items.count == names.count && items.count == sums.count, "one sum for each item")
    let results = Results(count: items.count)
    let parameters = model.parameters
    pool.run(chunks: min(Self.lanes, items.count)) { lane in
      for place in stride(from: lane, to: items.count, by: Self.lanes) {
        var total = 0.0
        for draw in items[place] {
          total += backward[lane].gradient(of: draw, parameters, into: sums[place])
        }
        results.set(place, total)
      }
    }
    for place in items.indices where !results.values[place].isFinite {
      throw AttributionError.lossNotFinite(item: names[place])
    }
  }

  /// The mean gradient over draws, in the layout's order, and the mean loss.
  package func gradient(
    of draws: [LossDraw], name: String, _ parameters: Parameters, wanted: [Bool]
  )
    throws -> (gradient: WorkBuffer, loss: Double)
  {
    let lanes = (0..<Self.lanes).map { _ in
      GradientAccumulator(layout: model.layout, wanted: wanted, rule: .sum)
    }
    let losses = accumulate(draws, parameters, into: lanes)
    let loss = losses.reduce(0, +) / Double(losses.count)
    guard loss.isFinite else { throw AttributionError.lossNotFinite(item: name) }
    return (Self.mean(of: lanes, draws: draws.count), loss)
  }

  /// The lanes' sum over the number of draws.
  package static func mean(of lanes: [GradientAccumulator], draws: Int) -> WorkBuffer {
    let mean = WorkBuffer(count: lanes[0].layout.count)
    var target = mean.mutableSpan
    let scale = 1 / Float(draws)
    for i in 0..<target.count {
      target[i] = (lanes[0].sums.span[i] + lanes[1].sums.span[i]) * scale
    }
    return mean
  }
}

/// One number per place, written by different threads to different places.
///
/// Safe because every place is written by one thread alone and read after all have ended.
@safe private final class Results: @unchecked Sendable {
  private let storage: UnsafeMutablePointer<Double>
  private let count: Int

  init(count: Int) {
    self.count = count
    unsafe storage = .allocate(capacity: max(count, 1))
    unsafe storage.initialize(repeating: .nan, count: max(count, 1))
  }

  deinit { unsafe storage.deallocate() }

  func set(_ place: Int, _ value: Double) {
    precondition(place >= 0 && place < count)
    unsafe storage[place] = value
  }

  var values: [Double] { unsafe Array(UnsafeBufferPointer(start: storage, count: count)) }
}
