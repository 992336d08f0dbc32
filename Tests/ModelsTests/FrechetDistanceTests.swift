import Models
import TestSupport
import Testing

@Suite("Fréchet distance")
struct FrechetDistanceTests {
  /// `count` vectors of independent normal values with the given deviations, moved by `shift`.
  private func fit(_ deviations: [Float], shift: Float, count: Int, seed: UInt64) -> GaussianFit {
    var random = TestRandom(seed: seed)
    var fit = GaussianFit(dimension: deviations.count)
    for _ in 0..<count {
      fit.add(zip(random.normal(deviations.count), deviations).map { $0 * $1 + shift })
    }
    return fit
  }

  @Test("a cloud has no distance from itself")
  func itself() {
    let cloud = fit([1, 2, 0.5, 3], shift: 1, count: 200, seed: 1)
    #expect(abs(cloud.distance(to: cloud)) < 1e-8)
  }

  @Test("a shifted cloud is as far as the square of its shift")
  func shifted() {
    let one = fit([1, 2, 0.5], shift: 0, count: 300, seed: 2)
    let other = fit([1, 2, 0.5], shift: 2, count: 300, seed: 2)
    #expect(abs(one.distance(to: other) - 12) < 1e-4)
  }

  @Test("of diagonal clouds it is the sum of squared differences of deviations")
  func diagonal() {
    // Symmetric points on the axes: covariances are exactly diagonal.
    func cross(_ scales: [Float]) -> GaussianFit {
      var fit = GaussianFit(dimension: scales.count)
      for (axis, scale) in scales.enumerated() {
        for sign in [Float(1), -1] {
          var point = [Float](repeating: 0, count: scales.count)
          point[axis] = sign * scale
          fit.add(point)
        }
      }
      return fit
    }
    let (a, b): ([Float], [Float]) = ([1, 2, 3], [2, 2, 5])
    let factor = 2.0 / 5.0  // two points of six per axis, unbiased
    let expected = zip(a, b).reduce(0.0) {
      $0 + factor * Double(($1.0 - $1.1) * ($1.0 - $1.1))
    }
    #expect(abs(cross(a).distance(to: cross(b)) - expected) < 1e-6)
  }
}
