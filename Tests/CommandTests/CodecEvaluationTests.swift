import Foundation
import Testing

@testable import continuo

@Suite("Codec evaluation")
struct CodecEvaluationTests {
  @Test("perplexity is the number of codes when all are used alike, and 1 when one is")
  func perplexity() {
    let codes = (0..<64).flatMap { frame -> [Int32] in [Int32(frame % 8), 3] }
    #expect(abs(CodecEvaluation.perplexity(codes, book: 0, books: 2, 16) - 8) < 1e-9)
    #expect(abs(CodecEvaluation.perplexity(codes, book: 1, books: 2, 16) - 1) < 1e-9)
  }

  @Test("counts are taken per book, over the window only")
  func counts() {
    let codes = (0..<400).flatMap { frame -> [Int32] in [frame < 100 ? 0 : 1, 2] }
    let counts = CodecEvaluation.counts(codes, 50, books: 2, cardinality: 4)
    let squares = counts.map { ($0 * $0).rounded() }
    #expect(squares == [50, 100, 0, 0, 0, 0, 150, 0])
  }
}
