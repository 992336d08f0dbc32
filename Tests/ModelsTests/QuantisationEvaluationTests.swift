import Kernels
import Models
import TestSupport
import Testing

@Suite("Evaluation of quantisation")
struct QuantisationEvaluationTests {
  @Test("a model differs from itself by nothing, and by more with fewer bits")
  func order() throws {
    let checkpoint = try QuantisedCheckpoint(spread: 4)
    let evaluation = QuantisationEvaluation(
      exact: try checkpoint.model(nil), clips: 2, frames: 30,
      settings: SamplingSettings(seed: 3), pool: checkpoint.pool)
    let scores = try WeightFormat.allCases.map {
      evaluation.score(try checkpoint.model(try checkpoint.weights($0)))
    }
    let codebooks = QuantisedCheckpoint.config.codebooks
    #expect(scores.allSatisfy { $0.codes == 2 * 30 * codebooks && $0.worst >= $0.divergence })
    #expect(scores[0].divergence < 1e-9 && scores[0].agreement == 1)
    #expect(scores[0].divergence < scores[1].divergence)
    #expect(scores[1].divergence < scores[2].divergence)
    #expect(scores[2].divergence < scores[3].divergence)
    #expect(scores[3].agreement < 1)
    #expect(scores[3].weightBytes < scores[2].weightBytes)
  }

  @Test("a format above its bar does not pass")
  func bars() {
    func score(_ format: WeightFormat, _ divergence: Double) -> QuantisationScore {
      QuantisationScore(
        format: format, divergence: divergence, worst: 1, agreement: 1, codes: 1, weightBytes: 1)
    }
    #expect(score(.int8, 0.005).passes && !score(.int8, 0.0051).passes)
    #expect(score(.int4, 0.05).passes && !score(.int4, 0.051).passes)
  }
}
