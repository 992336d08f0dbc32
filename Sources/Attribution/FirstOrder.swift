// What unlearning many pieces would do to many tracks' losses, to first order in the step.
//
// A step of unlearning is small: the piece's own loss rises by a thousandth. There
//
//   τ(ẑ, z_i) = 𝓛(z_i, Θ0 + s d) − 𝓛(z_i, Θ0) ≈ s d · ∇𝓛(z_i, Θ0),   d = ∇𝓛(ẑ, Θ0) / (F + λ · mean(F)),
//
// and s d · ∇𝓛(ẑ, Θ0) is the rise that was asked for. So one gradient per track serves all pieces, dampings
// and choices of layers, where unlearning itself needs a forward pass over the catalogue for each of them.
// Source: ours, from the closed form of METHOD 6; it is the influence function with a diagonal Fisher matrix.

import Kernels
import Models

/// Scores of many pieces at once. Used from one thread.
package struct FirstOrder {
  package let runner: LossRunner
  /// Choices of layers that are scored, each by itself.
  package let choices: [LayerChoice]
  /// Of all tensors that any of the choices holds.
  package let fisher: FisherInformation
  private let wanted: [Bool]

  package init(runner: LossRunner, choices: [LayerChoice], fisher: FisherInformation) {
    self.runner = runner
    self.choices = choices
    self.fisher = fisher
    let layout = runner.model.layout
    let each = choices.map { $0.wanted(of: layout) }
    wanted = layout.entries.indices.map { place in each.contains { $0[place] } }
  }

  /// A piece, and how it would be unlearned.
  package struct Query {
    package var name: String
    package var draws: [LossDraw]
    /// Each λ, relative to every tensor's mean Fisher information, is a direction of its own.
    package var dampings: [Double]

    package init(name: String, draws: [LossDraw], dampings: [Double]) {
      self.name = name
      self.draws = draws
      self.dampings = dampings
    }
  }

  /// Bytes of one direction.
  package var bytesPerDirection: Int {
    zip(runner.model.layout.entries, wanted).reduce(0) { $0 + ($1.1 ? 4 * $1.0.range.count : 0) }
  }

  /// By how much each track's loss rises when the query's own rises by its whole size, to first order:
  /// times `rise`, the score that unlearning with that rise gives.
  ///
  /// - Parameters:
  ///   - known: what an earlier run handed to `keep`: (directions, choices, its tracks). Its tracks are not scored
  ///     again, and with the same `batch` all that follows is the same to the bit.
  ///   - batch: tracks whose gradients are held at once.
  ///   - draws: of a track.
  ///   - keep: called after every batch with all scores so far.
  ///   - progress: called with the share that is done; throws to stop.
  /// - Returns: for each direction (queries, and in them dampings, in order) and choice one number per track.
  /// - Throws: `AttributionError.riseOutOfReach` where no gradient reaches the chosen layers,
  ///   `.lossNotFinite`, what `draws` and `progress` throw.
  package func scores(
    of queries: [Query], on tracks: [String], known: [[[Double]]]? = nil, batch: Int = 32,
    draws: (String) throws -> [LossDraw], keep: ([[[Double]]]) throws -> Void = { _ in },
    progress: (Double) throws -> Void
  ) throws -> [[[Double]]] {
    let layout = runner.model.layout
    let rows = queries.reduce(0) { $0 + $1.dampings.count }
    let first = known?.first?.first?.count ?? 0
    if let known, first == tracks.count { return known }
    let each = try tracks[first...].first.map { try draws($0).count } ?? 1
    let work = Double(
      queries.reduce(0) { $0 + $1.draws.count } + each * (tracks.count - first))
    var done = 0.0
    // (directions, size) for each wanted tensor.
    let directions = layout.entries.indices.map { place in
      WorkBuffer(count: wanted[place] ? rows * layout.entries[place].range.count : 0)
    }
    var scales: [[Double]] = []
    for query in queries {
      scales += try direct(query, row: scales.count, into: directions)
      done += Double(query.draws.count)
      try progress(done / work)
    }
    var scores = known ?? (0..<rows).map { _ in choices.map { _ in [Double]() } }
    let gradients = (0..<min(batch, max(tracks.count - first, 1))).map { _ in
      GradientAccumulator(layout: layout, wanted: wanted, rule: .sum)
    }
    // Products are of `batch` rows, used or not, so that a track's are the same in any batch and shard.
    let packed = WorkBuffer(count: batch * layout.largest)
    packed.clear()
    let products = WorkBuffer(count: batch * max(rows, 1))
    for start in stride(from: first, to: tracks.count, by: gradients.count) {
      let names = Array(tracks[start..<min(start + gradients.count, tracks.count)])
      let found = try names.map(draws)
      let used = Array(gradients[..<names.count])
      for gradient in used { gradient.sums.clear() }
      try runner.gradients(of: found, names: names, into: used)
      let sums = multiply(used, batch: batch, directions, rows: rows, packed, products)
      for row in 0..<rows {
        for choice in choices.indices {
          for (index, draws) in found.enumerated() {
            scores[row][choice].append(
              sums[choice][index * rows + row] * scales[row][choice]
                / Double(draws.count))
          }
        }
      }
      try keep(scores)
      done += Double(each * names.count)
      try progress(done / work)
    }
    return scores
  }

  /// Writes the query's directions d from `row` on; returns for each of them and each choice 𝓛 / (d · ∇𝓛), which
  /// makes the own rise the loss itself.
  private func direct(_ query: Query, row: Int, into directions: [WorkBuffer]) throws -> [[Double]]
  {
    let layout = runner.model.layout
    let (gradient, loss) = try runner.gradient(
      of: query.draws, name: query.name, runner.model.parameters, wanted: wanted)
    return try query.dampings.enumerated().map { index, damping in
      var slopes = [Double](repeating: 0, count: layout.entries.count)
      for (place, entry) in layout.entries.enumerated() where wanted[place] {
        slopes[place] = direct(
          gradient.span(entry.range), fisher.values.span(entry.range), damping, row: row + index,
          into: directions[place])
      }
      return try choices.map { choice in
        let slope = zip(layout.entries, slopes).reduce(0) {
          $0 + (choice.contains($1.0.name) ? $1.1 : 0)
        }
        guard slope > 0, slope.isFinite else {
          throw AttributionError.riseOutOfReach(wanted: 1, reached: 0)
        }
        return loss / slope
      }
    }
  }

  /// One tensor's row of d; returns its part of d · ∇𝓛. As in `UnlearningStep`, a tensor without any Fisher
  /// information stays as it is.
  private func direct(
    _ gradient: Span<Float>, _ fisher: Span<Float>, _ damping: Double, row: Int,
    into directions: WorkBuffer
  ) -> Double {
    let size = gradient.count
    var sum = 0.0
    for i in 0..<size { sum += Double(unsafe fisher[unchecked: i]) }
    guard sum > 0 else { return 0 }
    let floor = damping * sum / Double(size)
    var target = directions.mutableSpan(row * size..<(row + 1) * size)
    var slope = 0.0
    for i in 0..<size {
      let value = unsafe Double(gradient[unchecked: i])
      let step = unsafe value / (Double(fisher[unchecked: i]) + floor)
      unsafe target[unchecked: i] = Float(step)
      slope += step * value
    }
    return slope
  }

  /// d · g for each choice: (tracks, directions).
  private func multiply(
    _ gradients: [GradientAccumulator], batch: Int, _ directions: [WorkBuffer], rows: Int,
    _ packed: WorkBuffer, _ products: WorkBuffer
  ) -> [[Double]] {
    let layout = runner.model.layout
    var sums = choices.map { _ in [Double](repeating: 0, count: gradients.count * rows) }
    for (place, entry) in layout.entries.enumerated() where wanted[place] {
      let size = entry.range.count
      for (index, gradient) in gradients.enumerated() {
        let part = gradient.sums.span(entry.range)
        var target = packed.mutableSpan(index * size..<(index + 1) * size)
        for i in 0..<size { unsafe target[unchecked: i] = part[unchecked: i] }
      }
      var result = products.mutableSpan(0..<batch * rows)
      matrixProduct(
        packed.span, directions[place].span, transposeB: true, m: batch, n: rows,
        k: size, into: &result)
      let found = products.span(0..<gradients.count * rows)
      for (index, choice) in choices.enumerated() where choice.contains(entry.name) {
        for i in 0..<found.count { sums[index][i] += Double(found[i]) }
      }
    }
    return sums
  }
}
