import Foundation
import Models
import TestSupport
import Testing

@Suite("Regressions")
struct LogisticRegressionTests {
  /// scipy's answers; see Fixtures/Steering/make_regression.py.
  struct Known: Decodable {
    struct Model: Decodable {
      var weight: [Float]
      var bias: Float
    }
    struct Case: Decodable {
      var regularisation: Double
      var model: Model
    }
    var dimension: Int
    var classes: Int
    var features: [Float]
    var binary: [Int]
    var multi: [Int]
    var targets: [Float]
    var logistic: [Case]
    var multinomial: [Model]
    var ridge: Model

    static func load() throws -> Known {
      try JSONDecoder().decode(
        Known.self, from: Data(contentsOf: fixture("Steering/regression.json")))
    }
  }

  private func same(_ found: LinearModel, _ known: Known.Model) -> Bool {
    let scale = known.weight.map(abs).max() ?? 1
    return zip(found.weight, known.weight).allSatisfy { abs($0 - $1) <= 2e-5 * scale }
      && abs(found.bias - known.bias) <= 2e-5 * max(1, abs(known.bias))
  }

  @Test("logistic regression reaches scipy's minimum for weak and strong penalties")
  func logistic() throws {
    let known = try Known.load()
    for entry in known.logistic {
      let found = logisticRegression(
        features: known.features, labels: known.binary.map { $0 == 1 },
        dimension: known.dimension, regularisation: entry.regularisation)
      #expect(same(found, entry.model), "penalty \(entry.regularisation): \(found)")
    }
  }

  @Test("multinomial regression reaches scipy's minimum")
  func multinomial() throws {
    let known = try Known.load()
    let found = multinomialRegression(
      features: known.features, labels: known.multi, classes: known.classes,
      dimension: known.dimension)
    // A constant added to all classes' biases changes nothing: compare against the first.
    for k in 1..<known.classes {
      let difference = found[k].bias - found[0].bias
      let expected = known.multinomial[k].bias - known.multinomial[0].bias
      #expect(abs(difference - expected) <= 1e-4 * max(1, abs(expected)))
    }
    for (model, expected) in zip(found, known.multinomial) {
      #expect(
        zip(model.weight, expected.weight).allSatisfy { abs($0 - $1) <= 1e-4 * max(1, abs($1)) })
    }
  }

  @Test("ridge regression is the closed form")
  func ridge() throws {
    let known = try Known.load()
    let found = linearRegression(
      features: known.features, targets: known.targets, dimension: known.dimension,
      regularisation: 2)
    #expect(same(found, known.ridge))
  }

  @Test("separable classes, constant columns and a single class still give finite answers")
  func degenerate() {
    let separable = logisticRegression(
      features: [1, 0, 2, 0, 3, 0, 4, 0], labels: [false, false, true, true], dimension: 2)
    #expect(separable.weight[0] > 0 && separable.weight[0].isFinite && separable.weight[1] == 0)
    let single = logisticRegression(features: [1, 2, 3], labels: [true, true, true], dimension: 1)
    #expect(single.weight[0].isFinite && single.bias.isFinite && single.bias > 0)
  }
}
