import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("One step of unlearning")
struct UnlearningStepTests {
  private func layout() -> ParameterLayout {
    ParameterLayout([("x.layers.0.a", [2]), ("x.layers.0.b", [2]), ("other", [1])])
  }

  private func buffer(_ values: [Float]) -> WorkBuffer {
    let result = WorkBuffer(count: values.count)
    result.copy(from: values.span)
    return result
  }

  @Test("the step is the closed form, tensor by tensor; without Fisher information nothing moves")
  func closedForm() {
    let layout = layout()
    let start = Parameters(layout: layout, values: buffer([1, 2, 3, 4, 5]))
    let gradient = buffer([1, -1, 1, 1, 1])
    let fisher = buffer([0.1, 0.3, 0, 0, 1])
    let end = UnlearningStep(items: 10, learningRate: 0.5, damping: 0.1).apply(
      to: start, gradient: gradient.span, fisher: fisher.span,
      wanted: LayerChoice.allTransformer.wanted(of: layout))
    let values = end.values.array()
    #expect(abs(values[0] - (1 + 0.05 / (0.1 + 0.02))) < 1e-6)
    #expect(abs(values[1] - (2 - 0.05 / (0.3 + 0.02))) < 1e-6)
    #expect(Array(values[2...]) == [3, 4, 5])
  }

  /// Where the step from [1, 2, 3, 4, 5] leads, all tensors wanted.
  private func end(_ step: UnlearningStep, gradient: [Float], fisher: [Float]) -> [Float] {
    let layout = layout()
    let (gradient, fisher) = (buffer(gradient), buffer(fisher))
    let end = step.apply(
      to: Parameters(layout: layout, values: buffer([1, 2, 3, 4, 5])),
      gradient: gradient.span, fisher: fisher.span, wanted: layout.entries.map { _ in true })
    return withExtendedLifetime((gradient, fisher)) { end.values.array() }
  }

  @Test("the start is never written; what is not wanted is the same bits")
  func start() {
    let layout = layout()
    let start = Parameters(layout: layout, values: buffer([1, 2, 3, 4, 5]))
    let ones = buffer([1, 1, 1, 1, 1])
    let end = UnlearningStep(items: 1, learningRate: 1).apply(
      to: start, gradient: ones.span, fisher: ones.span, wanted: [false, true, false])
    #expect(start.values.array() == [1, 2, 3, 4, 5])
    let values = end.values.array()
    #expect(values[0] == 1 && values[1] == 2 && values[4] == 5 && values[2] > 3)
  }

  @Test("twice the training items is half the step, and more damping a smaller one")
  func scale() {
    let (gradient, fisher): ([Float], [Float]) = ([1, 1, 1, 1, 1], [1, 3, 1, 1, 1])
    func moved(_ items: Int, _ damping: Double) -> [Float] {
      let step = UnlearningStep(items: items, learningRate: 0.5, damping: damping)
      return zip(end(step, gradient: gradient, fisher: fisher), [1, 2, 3, 4, 5]).map { $0 - $1 }
    }
    for (one, two) in zip(moved(10, 0.1), moved(20, 0.1)) { #expect(abs(one - 2 * two) < 1e-6) }
    for (one, two) in zip(moved(10, 0.1), moved(10, 10)) { #expect(one > two && two > 0) }
  }

  @Test("a step without a bound stays where it is, and its neighbours go on")
  func unbounded() {
    let step = UnlearningStep(items: 1, learningRate: 1, damping: 0)
    let values = end(step, gradient: [1, .infinity, 1, .nan, 1], fisher: [1, 1, 0, 1, 1])
    #expect(values[0] == 2 && values[1] == 2)
    #expect(values[2] == 3, "nothing is known there, and no damping bounds it")
    #expect(values[3] == 4 && values[4] == 6)
  }

  @Test("the size of a step is told relative to the tensors that may change")
  func norm() {
    let layout = layout()
    let start = Parameters(layout: layout, values: buffer([3, 4, 0, 0, 100]))
    let end = Parameters(layout: layout, values: buffer([3, 4.5, 0, 0, 200]))
    func norm(_ wanted: [Bool]) -> Double {
      UnlearningStep.relativeNorm(of: end, from: start, wanted: wanted)
    }
    #expect(norm([true, false, false]) == 0.1)
    #expect(norm([false, true, false]) == 0, "nothing there, nothing moved")
    #expect(norm([false, false, true]) == 1)
    #expect(norm([false, false, false]) == 0)
  }
}
