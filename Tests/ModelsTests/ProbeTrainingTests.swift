import Foundation
import Kernels
import Models
import TestSupport
import Testing

@Suite("Probe training")
struct ProbeTrainingTests {
  /// Segments of `tracks` songs in which head 1 of layer 0 knows the answer and the others do not.
  private func material(tracks: Int, perTrack: Int) -> (Activations, [Bool]) {
    var random = TestRandom(seed: 5)
    var activations = Activations(layers: 2, heads: 2, headDimension: 4)
    var labels: [Bool] = []
    for track in 0..<tracks {
      for segment in 0..<perTrack {
        let label = segment % 2 == 0
        var z = random.normal(16)
        z[4] += label ? 2 : -2
        activations.append(z, track: "song \(track)")
        labels.append(label)
      }
    }
    return (activations, labels)
  }

  @Test("no song is on both sides, and adding one moves no other when the share allows")
  func split() {
    let tracks = (0..<40).flatMap { song in Array(repeating: "song \(song)", count: 5) }
    let split = TrackSplit(tracks: tracks, testShare: 0.25, seed: 1)
    let train = Set(split.train.map { tracks[$0] })
    let test = Set(split.test.map { tracks[$0] })
    #expect(train.isDisjoint(with: test))
    #expect(test.count == 10 && split.train.count + split.test.count == 200)
    #expect(TrackSplit(tracks: tracks, testShare: 0.25, seed: 2).test != split.test)
    #expect(TrackSplit(tracks: ["a", "b"], testShare: 0.01, seed: 1).test.count == 1)
  }

  @Test("the head that knows is found, its spread and difference are those of the data")
  func training() {
    let (activations, labels) = material(tracks: 30, perTrack: 8)
    let split = TrackSplit(tracks: activations.tracks, testShare: 0.2, seed: 3)
    let pool = ComputePool(threads: 2)
    let probes = ProbeTraining.train(activations, labels: labels, split: split, pool: pool)
    #expect(probes.bestHeads(count: 1) == [1])
    #expect(probes.accuracyTest[1] > 0.9 && probes.accuracyTest[0] < 0.7)
    #expect(abs(probes.meanDifference[4] - 4) < 0.4 && abs(probes.meanDifference[5]) < 0.4)
    // The slow twin of σ: the deviation of all projections on the unit direction.
    let theta = Array(probes.theta[4..<8])
    let norm = theta.map { $0 * $0 }.reduce(0, +).squareRoot()
    let projections = (0..<activations.count).map { row in
      (0..<4).map { activations.values[row * 16 + 4 + $0] * theta[$0] / norm }.reduce(0, +)
    }
    let mean = projections.reduce(0, +) / Float(projections.count)
    let deviation =
      (projections.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Float(projections.count))
      .squareRoot()
    #expect(abs(probes.sigma[1] - deviation) < 1e-3)
    let again = ProbeTraining.accuracies(
      of: probes, on: activations.subset(split.test), labels: split.test.map { labels[$0] },
      pool: pool)
    #expect(again == probes.accuracyTest)
    let alone = ProbeTraining.train(
      activations, labels: labels, split: split, pool: ComputePool(threads: 1))
    #expect(alone == probes)
  }

  @Test("ten pairs are enough for a usable probe")
  func tenPairs() {
    let (activations, labels) = material(tracks: 10, perTrack: 2)
    let (examined, truth) = material(tracks: 50, perTrack: 4)
    let all = TrackSplit(train: Array(0..<activations.count), test: [])
    let pool = ComputePool()
    let probes = ProbeTraining.train(activations, labels: labels, split: all, pool: pool)
    #expect(probes.theta.allSatisfy(\.isFinite) && probes.sigma.allSatisfy { $0 > 0 })
    let accuracy = ProbeTraining.accuracies(of: probes, on: examined, labels: truth, pool: pool)
    #expect(accuracy[1] > 0.85)
  }

  @Test("classes and targets are learned by the head that knows them")
  func otherTasks() {
    var random = TestRandom(seed: 9)
    var activations = Activations(layers: 1, heads: 2, headDimension: 3)
    var classes: [Int] = []
    var targets: [Float] = []
    for segment in 0..<120 {
      let label = segment % 3
      var z = random.normal(6)
      z[3 + label] += 3
      let target = random.uniform()
      z[0] = target * 2 + 0.1 * random.uniform()
      activations.append(z, track: "\(segment)")
      classes.append(label)
      targets.append(target)
    }
    let split = TrackSplit(tracks: activations.tracks, testShare: 0.3, seed: 1)
    let pool = ComputePool(threads: 2)
    let accuracy = ProbeTraining.classAccuracies(
      activations, labels: classes, classes: 3, split: split, pool: pool)
    #expect(accuracy[1] > 0.9 && accuracy[0] < 0.6)
    let determination = ProbeTraining.determination(
      activations, targets: targets, split: split, pool: pool)
    #expect(determination[0] > 0.95 && determination[1] < 0.4)
  }
}
