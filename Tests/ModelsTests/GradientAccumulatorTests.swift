import Kernels
import Models
import Testing

@Suite("Gradient accumulator")
struct GradientAccumulatorTests {
  private let layout = ParameterLayout([
    ("a.weight", [2, 2]), ("a.bias", [2]), ("b.weight", [3]), ("c.bias", [1]),
  ])

  private func accumulator(
    _ wanted: [Bool] = [true, true, true, true], _ rule: GradientAccumulator.Rule = .sum
  ) -> GradientAccumulator {
    GradientAccumulator(layout: layout, wanted: wanted, rule: rule)
  }

  private func fill(_ span: inout MutableSpan<Float>, _ values: [Float]) {
    #expect(span.count >= values.count)
    for (i, value) in values.enumerated() { span[i] = value }
  }

  @Test("what comes twice is added; each tensor in its own place")
  func sums() {
    let it = accumulator()
    it.collect(2) { fill(&$0, [1, 2, 3]) }
    it.collect(0) { fill(&$0, [1, 1, 1, 1]) }
    it.collect(2) { fill(&$0, [10, 20, 30]) }
    #expect(it.sums.array() == [1, 1, 1, 1, 0, 0, 11, 22, 33, 0])
  }

  @Test("squares are taken of each gradient before it is added")
  func squares() {
    let it = accumulator([true, true, true, true], .squares)
    it.collect(2) { fill(&$0, [1, -2, 3]) }
    it.collect(2) { fill(&$0, [-1, 2, 0.5]) }
    #expect(Array(it.sums.array()[6..<9]) == [2, 8, 9.25])
  }

  @Test("the gradient of a tensor that nobody asked for is not even computed")
  func unasked() {
    let it = accumulator([true, false, false, true])
    it.collect(2) { _ in Issue.record("it was computed") }
    it.collect(3) { fill(&$0, [5]) }
    #expect(it.sums.array() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 5])
    #expect(it.wants(0) && !it.wants(1))
    #expect(it.wants(prefix: "a.") && !it.wants(prefix: "b.") && !it.wants(prefix: "nobody"))
  }

  @Test("of a weight and a bias from one computation only what is wanted is kept")
  func pairs() {
    for (weight, bias) in [(true, true), (true, false), (false, true), (false, false)] {
      let it = accumulator([weight, bias, false, false])
      it.collect(0, 1) {
        fill(&$0, [1, 2, 3, 4])
        fill(&$1, [5, 6])
      }
      let expected: [Float] = (weight ? [1, 2, 3, 4] : [0, 0, 0, 0]) + (bias ? [5, 6] : [0, 0])
      #expect(Array(it.sums.array()[..<6]) == expected)
    }
  }

  @Test("floats that belong to no tensor are computed beside one and forgotten")
  func always() {
    for wanted in [true, false] {
      let it = accumulator([false, false, wanted, false])
      var calls = 0
      it.collectAlways(2, also: 2) {
        calls += 1
        fill(&$0, [7, 8, 9])
        fill(&$1, [1, 1])
        #expect($1.count == 2)
      }
      #expect(calls == 1)
      #expect(Array(it.sums.array()[6..<9]) == (wanted ? [7, 8, 9] : [0, 0, 0]))
    }
  }
}
