import Foundation
import Models
import TestSupport
import Testing

@Suite("Probe set")
struct ProbeTests {
  private func probes(_ run: SteeringReplay, _ j: Int) -> ProbeSet {
    let count = run.layers * run.heads
    let zeros = [Float](repeating: 0, count: count)
    return ProbeSet(
      layers: run.layers, heads: run.heads, headDimension: 1, theta: zeros, bias: zeros,
      sigma: zeros, accuracyTrain: run.accuracyTrain[j], accuracyTest: run.accuracyTest[j],
      meanDifference: zeros)
  }

  @Test("weights and thresholds are those of the reference")
  func weights() throws {
    for run in try SteeringReplay.load() {
      for j in run.alpha.indices {
        let probes = probes(run, j)
        let weights =
          run.mode == "smitin"
          ? probes.softWeights(power: run.power) : probes.hardWeights(count: run.topk)
        for (found, expected) in zip(weights, run.weight[j]) {
          #expect(abs(found - expected) <= 1e-5)
        }
        let tau = probes.threshold(monitors: probes.bestHeads(count: run.monitors))
        #expect(abs(tau - run.tau[j]) <= 1e-5)
      }
    }
  }

  @Test("power 0 makes all heads weigh the same, the worst too")
  func powerNothing() {
    let accuracy: [Float] = [0.5, 0.75, 1, 0.5]
    let probes = ProbeSet(
      layers: 2, heads: 2, headDimension: 1, theta: [1, 1, 1, 1], bias: accuracy,
      sigma: [1, 1, 1, 1], accuracyTrain: accuracy, accuracyTest: accuracy,
      meanDifference: [1, 1, 1, 1])
    #expect(probes.softWeights(power: 0) == [1, 1, 1, 1])
    #expect(probes.softWeights(power: 2) == [0, 0.25, 1, 0])
  }

  @Test("heads that are all equally good weigh the same, and of equals the first are chosen")
  func ties() {
    let four = [Float](repeating: 0.5, count: 4)
    let probes = ProbeSet(
      layers: 2, heads: 2, headDimension: 2, theta: [3, 4, 0, 0, 1, 0, 0, 2], bias: four,
      sigma: [2, 2, 3, 4], accuracyTrain: four, accuracyTest: four,
      meanDifference: [Float](repeating: 1, count: 8))
    #expect(probes.softWeights(power: 3) == [1, 1, 1, 1])
    #expect(probes.bestHeads(count: 2) == [0, 1])
    #expect(probes.bestHeads(count: 9).count == 4)
    #expect(probes.hardWeights(count: 1) == [1, 0, 0, 0])
  }

  @Test("directions are unit vectors times the spread, zero where there is none")
  func directions() {
    let one = [Float](repeating: 1, count: 2)
    let probes = ProbeSet(
      layers: 1, heads: 2, headDimension: 2, theta: [3, 4, 0, 0], bias: one, sigma: [2, 1],
      accuracyTrain: one, accuracyTest: one, meanDifference: [0, 5, 1, 0],
      meanDifferenceSigma: [3, 7])
    let scaled = probes.scaledDirections(.probe)
    #expect(zip(scaled, [1.2, 1.6, 0, 0] as [Float]).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(probes.scaledDirections(.meanDifference) == [0, 3, 7, 0])
  }
}
