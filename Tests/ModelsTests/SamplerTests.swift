import Models
import TestSupport
import RealModule
import Testing

@Suite("Sampler")
struct SamplerTests {
  /// The slow twin: the reference's steps on sorted arrays.
  private func candidates(_ logits: [Float], _ settings: SamplingSettings) -> [Int: Double] {
    let scaled = logits.map { Double($0) / Double(settings.temperature) }
    var kept = Set(logits.indices)
    if settings.topK > 0 {
      let threshold = logits.sorted(by: >)[min(settings.topK, logits.count) - 1]
      kept = kept.filter { logits[$0] >= threshold }
    }
    let peak = scaled.max() ?? 0
    func probabilities(_ kept: Set<Int>) -> [Int: Double] {
      let weights = Dictionary(
        uniqueKeysWithValues: kept.map { ($0, Double.exp(scaled[$0] - peak)) })
      let total = weights.values.reduce(0, +)
      return weights.mapValues { $0 / total }
    }
    guard settings.topP < 1 else { return probabilities(kept) }
    let all = probabilities(kept)
    var (sum, most) = (0.0, Set<Int>())
    for (code, probability) in all.sorted(by: { ($0.value, $1.key) > ($1.value, $0.key) }) {
      most.insert(code)
      sum += probability
      if sum >= Double(settings.topP) { break }
    }
    return probabilities(most)
  }

  @Test(
    "draws follow the distribution that temperature, top-k and top-p leave",
    arguments: [
      SamplingSettings(temperature: 1, topK: 0, topP: 1),
      SamplingSettings(temperature: 0.5, topK: 0, topP: 1),
      SamplingSettings(temperature: 1, topK: 5, topP: 1),
      SamplingSettings(temperature: 1.3, topK: 0, topP: 0.7),
      SamplingSettings(temperature: 2, topK: 12, topP: 0.9),
    ])
  func distribution(settings: SamplingSettings) {
    var random = TestRandom(seed: 11)
    let logits = random.normal(40, scale: 1.5)
    let expected = candidates(logits, settings)
    var sampler = Sampler(cardinality: 40)
    var counts = [Int](repeating: 0, count: 40)
    let draws = 20_000
    for index in 0..<draws {
      let uniform = (Float(index) + 0.5) / Float(draws)
      counts[Int(sampler.draw(logits.span, settings: settings, uniform: uniform))] += 1
    }
    for code in 0..<40 {
      let share = Double(counts[code]) / Double(draws)
      #expect(abs(share - (expected[code] ?? 0)) < 2e-4, "code \(code)")
    }
  }

  @Test("temperature 0 takes the most likely code, the lowest of equals")
  func greedy() {
    var sampler = Sampler(cardinality: 4)
    let logits: [Float] = [1, 3, 3, 2]
    let settings = SamplingSettings(temperature: 0)
    #expect(sampler.draw(logits.span, settings: settings, uniform: 0.99) == 1)
  }

  @Test("missing numbers are told, and drawn from what there is")
  func missing() {
    var sampler = Sampler(cardinality: 4)
    let none = [Float](repeating: .nan, count: 4)
    let some: [Float] = [.nan, 1, .nan, 2]
    for settings in [
      SamplingSettings(topK: 0), SamplingSettings(topK: 2), SamplingSettings(temperature: 0),
    ] {
      let first = sampler.draw(none.span, settings: settings, uniform: 0.5)
      let second = sampler.draw(some.span, settings: settings, uniform: 0.5)
      #expect(first == 0 && [1, 3].contains(second))
    }
    let whole: [Float] = [1, -3, 0, 2]
    let infinite: [Float] = [1, .infinity]
    let found = [
      Sampler.areFinite(whole.span), Sampler.areFinite(some.span), Sampler.areFinite(infinite.span),
    ]
    #expect(found == [true, false, false])
  }

  @Test("guidance 1 leaves the text branch, 0 the other, 3 goes beyond")
  func guidance() {
    for (guidance, expected) in [(Float(1), Float(2)), (0, 1), (3, 4)] {
      var logits: [Float] = [2]
      let unconditional: [Float] = [1]
      var span = logits.mutableSpan
      Sampler.guide(&span, unconditional: unconditional.span, guidance: guidance)
      #expect(logits == [expected])
    }
  }
}
