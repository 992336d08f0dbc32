import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Steering direction")
struct SteeringDirectionTests {
  private static let (layers, heads, dimension) = (2, 3, 4)
  private static let width = 12

  private func probes(seed: UInt64 = 1) -> ProbeSet {
    var random = TestRandom(seed: seed)
    return random.probes(
      layers: Self.layers, heads: Self.heads, dimension: Self.dimension)
  }

  /// Output projections (C, C), one per layer.
  private func projections(_ values: [[Float]]) -> [WeightMatrix] {
    values.map { WeightMatrix(rows: Self.width, columns: Self.width, floats: FloatBuffer($0)) }
  }

  private func direction(
    _ probes: ProbeSet, _ options: DirectionOptions, _ values: [[Float]]? = nil, threads: Int = 1
  ) -> SteeringDirection {
    var random = TestRandom(seed: 9)
    let made = values ?? (0..<Self.layers).map { _ in random.normal(Self.width * Self.width) }
    return SteeringDirection(
      probes: probes, options: options, projections: projections(made),
      pool: ComputePool(threads: threads))
  }

  /// A projection that changes nothing.
  private var identity: [[Float]] {
    [[Float]](
      repeating: (0..<144).map { $0 / 12 == $0 % 12 ? 1 : 0 }, count: Self.layers)
  }

  @Test("through a projection that changes nothing, it is the weighted directions themselves")
  func plain() {
    let probes = probes()
    for kind in [DirectionKind.probe, .meanDifference] {
      let it = direction(
        probes, DirectionOptions(kind: kind, power: 2, hardHeads: 2, monitors: 3), identity)
      let scaled = probes.scaledDirections(kind)
      let (soft, hard) = (probes.softWeights(power: 2), probes.hardWeights(count: 2))
      for index in 0..<Self.layers * Self.width {
        let head = index / Self.dimension
        #expect(abs(it.soft.array()[index] - scaled[index] * soft[head]) < 1e-6)
        #expect(abs(it.hard.array()[index] - scaled[index] * hard[head]) < 1e-6)
      }
      #expect(it.softWeights == soft)
    }
  }

  @Test("hard weights push as many heads as told, soft ones all of them")
  func heads() {
    let probes = probes()
    for count in [1, 4, 6, 100] {
      let it = direction(probes, DirectionOptions(hardHeads: count, monitors: 1), identity)
      let pushed = (0..<6).count { head in
        it.hard.array()[head * 4..<(head + 1) * 4].contains { $0 != 0 }
      }
      #expect(pushed == min(count, 6))
    }
  }

  @Test("a layer's vector comes from its own heads and its own projection alone")
  func layers() {
    var random = TestRandom(seed: 3)
    let (one, other) = (random.normal(144), random.normal(144))
    let probes = probes()
    let options = DirectionOptions(monitors: 2)
    let (a, b) = (
      direction(probes, options, [one, one]).soft.array(),
      direction(probes, options, [one, other]).soft.array()
    )
    #expect(a[..<12] == b[..<12] && a[12...] != b[12...])
  }

  @Test("as many of the best heads are read as asked for, at least one and at most all")
  func monitors() {
    let probes = probes()
    for (asked, count) in [(-3, 1), (0, 1), (1, 1), (4, 4), (6, 6), (500, 6)] {
      let it = direction(probes, DirectionOptions(monitors: asked))
      #expect(it.monitors == probes.bestHeads(count: count))
      #expect(it.threshold == probes.threshold(monitors: it.monitors))
      let theta = it.monitorTheta.array()
      #expect(theta.count == count * 4 && it.monitorBias.count == count)
      for (row, head) in it.monitors.enumerated() {
        #expect(
          Array(theta[row * 4..<(row + 1) * 4]) == Array(probes.theta[head * 4..<(head + 1) * 4]))
        #expect(it.monitorBias[row] == probes.bias[head])
      }
    }
  }

  @Test("is the same bits however many threads prepare it")
  func threads() {
    let (one, three) = (
      direction(probes(), DirectionOptions()), direction(probes(), DirectionOptions(), threads: 3)
    )
    #expect(one.soft.array() == three.soft.array() && one.hard.array() == three.hard.array())
  }
}
