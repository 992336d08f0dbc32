import Testing

@testable import continuo

@Suite("Evaluation cells")
struct EvaluationCellTests {
  @Test("cells that make other music have other names")
  func keys() {
    let plain = CellPlan(suite: "a", method: "none", targets: ["drums"], clips: 2, seconds: 1)
    var other = plain
    other.alpha = 6
    #expect(plain.key != other.key && plain.key == plain.key)
    #expect(plain.key.hasPrefix("a-none-drums-"))
  }

  @Test("the success of a removal is the share of steps without the trait")
  func removal() {
    var plan = CellPlan(suite: "a", method: "m", targets: ["drums"], clips: 1, seconds: 1)
    plan.strength = -1
    let clip = ClipFigures(
      success: [0.25], reading: [0.5], presence: [0.1], logit: [0], similarity: .nan, gain: 1)
    let figures = CellFigures(plan: plan, clips: [clip])
    #expect(abs(figures.success - 0.75) < 1e-6 && abs(figures.presence - 0.1) < 1e-6)
    #expect(figures.similarity.isNaN)
  }
}
