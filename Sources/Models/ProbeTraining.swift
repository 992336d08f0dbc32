// From activations of labelled segments to the probes of a trait.
//
// In: z of every head at the last step of each segment (N, L, H, D), a label and a track per segment.
// Out: a ProbeSet, or scores of the appendix' other tasks. Songs are split, never segments, so that no
// song is on both sides. Source: paper 2.2, 3.1 and appendix 6.1; METHOD 3.

package import Kernels
import RealModule

/// What the heads said at the end of some segments, with the track that each segment came from.
package struct Activations: Sendable {
  package let layers: Int
  package let heads: Int
  package let headDimension: Int
  /// z (N, L, H, D).
  package private(set) var values: [Float] = []
  /// Which track each segment came from (N).
  package private(set) var tracks: [String] = []

  package init(layers: Int, heads: Int, headDimension: Int) {
    self.layers = layers
    self.heads = heads
    self.headDimension = headDimension
  }

  /// N.
  package var count: Int { tracks.count }
  /// L·H·D.
  package var width: Int { layers * heads * headDimension }

  /// Adds one segment: z (L, H, D) of its last step.
  package mutating func append(_ headOutputs: [Float], track: String) {
    precondition(headOutputs.count == width)
    values.append(contentsOf: headOutputs)
    tracks.append(track)
  }

  /// The chosen segments, in the given order.
  package func subset(_ rows: [Int]) -> Activations {
    var result = Activations(layers: layers, heads: heads, headDimension: headDimension)
    for row in rows {
      result.append(Array(values[row * width..<(row + 1) * width]), track: tracks[row])
    }
    return result
  }

  /// z of one head for the chosen segments (rows, D).
  package func head(_ head: Int, rows: [Int]) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(rows.count * headDimension)
    for row in rows {
      let start = row * width + head * headDimension
      result.append(contentsOf: values[start..<start + headDimension])
    }
    return result
  }
}

/// Which segments teach and which examine.
package struct TrackSplit: Sendable, Equatable {
  package var train: [Int]
  package var test: [Int]

  /// Puts about `testShare` of the tracks, at least one of each kind when there are two, aside.
  ///
  /// A track's side depends on its name and the seed alone, as far as the shares allow, so that adding a
  /// track moves no other.
  /// - Parameters:
  ///   - tracks: the track of each segment (N).
  ///   - testShare: 0 ..< 1.
  package init(tracks: [String], testShare: Double, seed: UInt64) {
    let names = Set(tracks).map { (hash: mixed($0, seed: seed), name: $0) }
      .sorted { ($0.hash, $0.name) < ($1.hash, $1.name) }.map(\.name)
    var testCount = Int((Double(names.count) * testShare).rounded())
    if testShare > 0, names.count >= 2 { testCount = min(max(testCount, 1), names.count - 1) }
    let examined = Set(names.prefix(testCount))
    train = tracks.indices.filter { !examined.contains(tracks[$0]) }
    test = tracks.indices.filter { examined.contains(tracks[$0]) }
  }

  package init(train: [Int], test: [Int]) {
    self.train = train
    self.test = test
  }
}

/// FNV-1a over the name, then SplitMix64: a hash that is the same in every process.
private func mixed(_ name: String, seed: UInt64) -> UInt64 {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
  var z = hash &+ seed &* 0x9E37_79B9_7F4A_7C15
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}

/// Trains probes on all heads, side by side on a pool.
package enum ProbeTraining {
  /// One logistic regression per head.
  ///
  /// - Parameters:
  ///   - activations: segments with and without the trait.
  ///   - labels: whether each segment has the trait (N).
  ///   - split: by track. Both classes must be in `train`; with an empty `test` the held-out accuracy
  ///     is that of training.
  ///   - regularisation: λ on standardised features.
  package static func train(
    _ activations: Activations, labels: [Bool], split: TrackSplit, regularisation: Double = 1,
    pool: ComputePool
  ) -> ProbeSet {
    precondition(labels.count == activations.count)
    let dimension = activations.headDimension
    let results = perHead(activations, pool: pool) { head -> HeadResult in
      let x = activations.head(head, rows: split.train)
      let y = split.train.map { labels[$0] }
      let model = logisticRegression(
        features: x, labels: y, dimension: dimension, regularisation: regularisation)
      let held = activations.head(head, rows: split.test)
      let train = accuracy(model, x, y)
      let test = split.test.isEmpty ? train : accuracy(model, held, split.test.map { labels[$0] })
      let difference = meanDifference(x, y, dimension: dimension)
      return HeadResult(
        model: model, sigma: spread(along: model.weight, x, held),
        train: train, test: test, difference: difference,
        differenceSigma: spread(along: difference, x, held))
    }
    return ProbeSet(
      layers: activations.layers, heads: activations.heads, headDimension: dimension,
      theta: results.flatMap(\.model.weight), bias: results.map(\.model.bias),
      sigma: results.map(\.sigma), accuracyTrain: results.map(\.train),
      accuracyTest: results.map(\.test), meanDifference: results.flatMap(\.difference),
      meanDifferenceSigma: results.map(\.differenceSigma))
  }

  /// Accuracy of existing probes on new segments (L, H).
  package static func accuracies(
    of probes: ProbeSet, on activations: Activations, labels: [Bool], pool: ComputePool
  ) -> [Float] {
    precondition(probes.headCount * probes.headDimension == activations.width)
    let rows = Array(0..<activations.count)
    return perHead(activations, pool: pool) { head in
      let dimension = probes.headDimension
      let model = LinearModel(
        weight: Array(probes.theta[head * dimension..<(head + 1) * dimension]),
        bias: probes.bias[head])
      return accuracy(model, activations.head(head, rows: rows), labels)
    }
  }

  /// Accuracy of the median probability of `monitors` (heads, l·H + h): what steering reads.
  package static func monitorAccuracy(
    of probes: ProbeSet, monitors: [Int], on activations: Activations, labels: [Bool]
  ) -> Float {
    let dimension = probes.headDimension
    var right = 0
    for (row, label) in labels.enumerated() {
      let scores = monitors.map { head -> Float in
        let start = row * activations.width + head * dimension
        return (0..<dimension).reduce(probes.bias[head]) {
          $0 + probes.theta[head * dimension + $1] * activations.values[start + $1]
        }
      }.sorted()
      guard !scores.isEmpty else { return 0 }
      let chances = [scores[(scores.count - 1) / 2], scores[scores.count / 2]].map {
        1 / (1 + Float.exp(-$0))
      }
      if (chances[0] + chances[1] > 1) == label { right += 1 }
    }
    return Float(right) / Float(max(labels.count, 1))
  }

  /// Several classes: held-out accuracy of a multinomial regression per head (L, H).
  package static func classAccuracies(
    _ activations: Activations, labels: [Int], classes: Int, split: TrackSplit,
    regularisation: Double = 1, pool: ComputePool
  ) -> [Float] {
    let dimension = activations.headDimension
    return perHead(activations, pool: pool) { head in
      let models = multinomialRegression(
        features: activations.head(head, rows: split.train),
        labels: split.train.map { labels[$0] }, classes: classes, dimension: dimension,
        regularisation: regularisation)
      let held = activations.head(head, rows: split.test)
      var right = 0
      for (index, row) in split.test.enumerated() {
        let scores = models.map { score($0, held, index) }
        if scores.firstIndex(of: scores.max() ?? 0) == labels[row] { right += 1 }
      }
      return Float(right) / Float(max(split.test.count, 1))
    }
  }

  /// Regression: held-out R² of a linear regression per head (L, H).
  package static func determination(
    _ activations: Activations, targets: [Float], split: TrackSplit, regularisation: Double = 1,
    pool: ComputePool
  ) -> [Float] {
    let dimension = activations.headDimension
    let mean =
      split.test.reduce(0.0) { $0 + Double(targets[$1]) } / Double(max(split.test.count, 1))
    return perHead(activations, pool: pool) { head in
      let model = linearRegression(
        features: activations.head(head, rows: split.train),
        targets: split.train.map { targets[$0] }, dimension: dimension,
        regularisation: regularisation)
      let held = activations.head(head, rows: split.test)
      var residual = 0.0
      var total = 0.0
      for (index, row) in split.test.enumerated() {
        let error = Double(targets[row]) - Double(score(model, held, index))
        let deviation = Double(targets[row]) - mean
        residual += error * error
        total += deviation * deviation
      }
      return total > 0 ? Float(1 - residual / total) : 0
    }
  }

  private struct HeadResult {
    var model: LinearModel
    var sigma: Float
    var train: Float
    var test: Float
    var difference: [Float]
    var differenceSigma: Float
  }

  /// Collects one result per head, computed side by side.
  private static func perHead<Result>(
    _ activations: Activations, pool: ComputePool, _ body: (Int) -> Result
  ) -> [Result] {
    let count = activations.layers * activations.heads
    var results = [Result?](repeating: nil, count: count)
    unsafe results.withUnsafeMutableBufferPointer { places in
      // Every chunk writes its own place only.
      nonisolated(unsafe) let places = unsafe places
      pool.run(chunks: count) { head in unsafe places[head] = body(head) }
    }
    return results.compactMap { $0 }
  }

  private static func score(_ model: LinearModel, _ x: [Float], _ row: Int) -> Float {
    let start = row * model.weight.count
    var sum = model.bias
    for i in model.weight.indices { sum += model.weight[i] * x[start + i] }
    return sum
  }

  private static func accuracy(_ model: LinearModel, _ x: [Float], _ labels: [Bool]) -> Float {
    var right = 0
    for (row, label) in labels.enumerated() where (score(model, x, row) > 0) == label { right += 1 }
    return Float(right) / Float(max(labels.count, 1))
  }

  private static func meanDifference(_ x: [Float], _ labels: [Bool], dimension: Int) -> [Float] {
    var sums = [[Double]](repeating: [Double](repeating: 0, count: dimension), count: 2)
    var counts = [0.0, 0.0]
    for (row, label) in labels.enumerated() {
      counts[label ? 1 : 0] += 1
      for d in 0..<dimension { sums[label ? 1 : 0][d] += Double(x[row * dimension + d]) }
    }
    return (0..<dimension).map {
      Float(sums[1][$0] / max(counts[1], 1) - sums[0][$0] / max(counts[0], 1))
    }
  }

  /// σ: the standard deviation of (direction/‖direction‖)·z over both sets (N, D); the smallest
  /// normal number when nothing varies, since a bundle needs σ > 0.
  private static func spread(along direction: [Float], _ train: [Float], _ test: [Float]) -> Float {
    let dimension = direction.count
    let norm = direction.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    guard norm > 0 else { return .leastNormalMagnitude }
    var sum = 0.0
    var squares = 0.0
    var count = 0.0
    for set in [train, test] {
      for row in 0..<set.count / dimension {
        var projection = 0.0
        for d in 0..<dimension {
          projection += Double(direction[d]) * Double(set[row * dimension + d])
        }
        projection /= norm
        sum += projection
        squares += projection * projection
        count += 1
      }
    }
    guard count > 0 else { return .leastNormalMagnitude }
    let variance = max(squares / count - (sum / count) * (sum / count), 0)
    return max(Float(variance.squareRoot()), .leastNormalMagnitude)
  }
}
