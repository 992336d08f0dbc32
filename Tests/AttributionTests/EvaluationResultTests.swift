import Foundation
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("The result of a study")
struct EvaluationResultTests {
  @Test("is kept as JSON and read back, with what was not measured")
  func coding() throws {
    var row = EvaluationRow(
      setting: EvaluationSetting(
        layers: .selfAttention, masksPiece: false, masksTracks: true, rise: 0.01),
      queries: 3, meanRank: 2, firstShare: 0.5, topSimilarity: 1, bottomSimilarity: 0,
      heldOutChange: nil, commonest: 1)
    row.quality = nil
    let result = EvaluationResult(
      model: "m", modelFingerprint: "f", family: "language model", catalogue: "c", tracks: 4,
      grid: [row], relatives: [], sources: [], correlations: [], quality: 3,
      absent: [.crossAttention],
      seconds: 1)
    let data = try JSONEncoder().encode(result)
    #expect(try JSONDecoder().decode(EvaluationResult.self, from: data) == result)
    #expect(row.setting.damping == 0.1, "the published default")
  }

  @Test("quality is the Fréchet distance of what was made to real music: 0 for the same")
  func judge() {
    var random = TestRandom(seed: 1)
    let rows = 200
    let real = random.normal(rows * 3)
    var reference = GaussianFit(dimension: 3)
    reference.add(real)
    let judge = QualityJudge(clips: 4, reference: reference) { _, _ in [] }
    #expect(abs(judge.distance(of: real)) < 1e-4)
    // Moved by 2 along one axis: the squared distance of the means.
    let moved = real.enumerated().map { $0.offset % 3 == 1 ? $0.element + 2 : $0.element }
    #expect(abs(judge.distance(of: moved) - 4) < 1e-3)
    #expect(judge.distance(of: real.map { 2 * $0 }) > 0.5, "wider is farther too")
  }
}
