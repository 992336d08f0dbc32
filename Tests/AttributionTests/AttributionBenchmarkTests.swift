import Testing

@testable import Attribution

@Suite("Benchmark of attribution")
struct AttributionBenchmarkTests {
  @Test("times real draws of the published size")
  func figures() throws {
    let figures = try AttributionBenchmark.run(.houseDiT, threads: 2, draws: 2, repetitions: 1)
    #expect(figures.size == "house-dit" && figures.threads == 2)
    // 6 layers of width 256: 4 W² of attention, 4 W² of cross-attention less the narrow context, 12 W² of
    // feed-forward, and what stands around them.
    #expect((7_000_000...9_500_000).contains(figures.parameters), "\(figures.parameters)")
    #expect(figures.gradientDrawsPerSecond > 0 && figures.gradientDrawsPerSecond.isFinite)
    #expect(
      figures.scoredDrawsPerSecond > figures.gradientDrawsPerSecond, "a loss is part of a gradient")
    #expect(figures.peakBytes > 4 * figures.parameters)
  }

  @Test("knows the sizes that the script beside it knows")
  func sizes() {
    #expect(
      AttributionBenchmark.Size.allCases.map(\.rawValue) == ["house-lm", "lm-100m", "house-dit"])
  }
}
