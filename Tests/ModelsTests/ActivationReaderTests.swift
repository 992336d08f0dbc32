import Kernels
import Models
import TestSupport
import Testing

@Suite("Activation reader")
struct ActivationReaderTests {
  @Test("what is read is what the generator reads at its first step, whatever shares the pass")
  func sameAsGenerator() throws {
    let model = try randomLanguageModel()
    let pool = ComputePool()
    var random = TestRandom(seed: 8)
    let segments = (0..<5).map { index in
      (0..<(10 + index) * smallConfig.codebooks).map { _ in
        Int32.random(in: 0..<Int32(smallConfig.cardinality), using: &random)
      }
    }
    let expected = segments.map { codes -> [Float] in
      let generator = CodeGenerator(model: model, prompt: codes, pool: pool)
      generator.step()
      return generator.stream.withHeadOutputs { $0.array() }
    }
    var done: [Int] = []
    let reader = ActivationReader(model: model, segmentsAtOnce: 2, pool: pool)
    let found = reader.read(segments) { done.append($0) }
    #expect(done == [2, 4, 5])
    for (a, b) in zip(found, expected) {
      #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }
}
