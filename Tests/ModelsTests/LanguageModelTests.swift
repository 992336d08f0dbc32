import Kernels
import Models
import TestSupport
import Testing

@Suite("Language model")
struct LanguageModelTests {
  private let config = smallConfig

  private func tokens(_ count: Int, seed: UInt64 = 3) -> [[Int32]] {
    var random = TestRandom(seed: seed)
    return (0..<count).map { _ in
      (0..<config.codebooks).map { _ in
        Int32.random(in: 0...Int32(config.cardinality), using: &random)
      }
    }
  }

  /// Logits of every position (steps, K · V), fed in passes of the given sizes.
  private func logits(
    _ model: LanguageModel, _ tokens: [[Int32]], passes: [Int], threads: Int = 1,
    stream: LanguageModelStream? = nil
  ) -> [[Float]] {
    let stream = stream ?? LanguageModelStream(config: config, capacity: 64)
    stream.keepsAllLogits = true
    let workspace = LanguageModelWorkspace(config: config)
    let pool = ComputePool(threads: threads)
    let size = config.codebooks * config.cardinality
    var (next, result) = (0, [[Float]]())
    for count in passes {
      for offset in 0..<count { stream.feed(tokens[next + offset]) }
      model.step([stream], workspace: workspace, pool: pool)
      next += count
      stream.withLogits { logits, columns in
        let values = logits.array()
        for column in 0..<columns {
          result.append(Array(values[column * size..<(column + 1) * size]))
        }
      }
    }
    return result
  }

  /// Largest difference over largest value.
  private func distance(_ a: [[Float]], _ b: [[Float]]) -> Float {
    let (a, b) = (a.flatMap { $0 }, b.flatMap { $0 })
    let largest = a.map(abs).max() ?? 0
    return (zip(a, b).map { abs($0 - $1) }.max() ?? .infinity) / largest
  }

  @Test("few steps in one pass give the bits of single steps; many agree to rounding")
  func passSizes() throws {
    let model = try randomLanguageModel()
    let tokens = tokens(40)
    let single = logits(model, tokens, passes: Array(repeating: 1, count: 40))
    let few = logits(model, tokens, passes: [1, 2, 3, 4, 8, 16, 6])
    #expect(single == few)
    let many = logits(model, tokens, passes: [40])
    #expect(distance(single, many) < 1e-5)
  }

  @Test("any number of threads gives the same bits")
  func threads() throws {
    let model = try randomLanguageModel()
    let tokens = tokens(30)
    let one = logits(model, tokens, passes: [20, 1, 1, 4, 4])
    for count in 2...4 {
      #expect(one == logits(model, tokens, passes: [20, 1, 1, 4, 4], threads: count))
    }
  }

  @Test("a change at step t changes no logits before t, and does change those from t on")
  func causality() throws {
    let model = try randomLanguageModel()
    var changed = tokens(24)
    let passes = Array(repeating: 1, count: 24)
    let before = logits(model, changed, passes: passes)
    changed[11][2] = (changed[11][2] + 1) % Int32(config.cardinality)
    let after = logits(model, changed, passes: passes)
    #expect(before[..<11] == after[..<11])
    for step in 11..<24 { #expect(before[step] != after[step]) }
    let together = logits(model, changed, passes: [24])
    #expect(distance(Array(together[..<11]), Array(before[..<11])) < 1e-5)
  }

  @Test("truncating and feeding again gives the bits of never having gone astray")
  func truncation() throws {
    let model = try randomLanguageModel()
    let (right, wrong) = (tokens(20), tokens(20, seed: 9))
    let stream = LanguageModelStream(config: config, capacity: 64)
    let first = logits(model, Array(right[..<12]), passes: [12], stream: stream)
    _ = logits(model, Array(wrong[12...]), passes: Array(repeating: 1, count: 8), stream: stream)
    stream.truncate(to: 12)
    let rest = logits(
      model, Array(right[12...]), passes: Array(repeating: 1, count: 8), stream: stream)
    #expect(first + rest == logits(model, right, passes: [12, 1, 1, 1, 1, 1, 1, 1, 1]))
    stream.reset()
    #expect(stream.length == 0)
    #expect(
      logits(model, right, passes: [20], stream: stream) == logits(model, right, passes: [20]))
  }

  @Test("streams that share a pass do not see each other")
  func sharedPass() throws {
    let model = try randomLanguageModel()
    let (a, b) = (tokens(10), tokens(10, seed: 5))
    let alone = [a, b].map { logits(model, $0, passes: Array(repeating: 1, count: 10)) }
    let streams = (0..<2).map { _ in LanguageModelStream(config: config, capacity: 16) }
    let workspace = LanguageModelWorkspace(config: config)
    let pool = ComputePool()
    for step in 0..<10 {
      streams[0].feed(a[step])
      streams[1].feed(b[step])
      model.step(streams, workspace: workspace, pool: pool)
      for (stream, expected) in zip(streams, alone) {
        stream.withLogits { logits, _ in #expect(logits.array() == expected[step]) }
      }
    }
  }

  @Test("a text changes the branch that reads it and no other")
  func text() throws {
    let model = try randomLanguageModel()
    let pool = ComputePool()
    var random = TestRandom(seed: 8)
    let states = random.normal(5 * config.hidden)
    let branches = (0..<2).map { _ in LanguageModelStream(config: config, capacity: 8) }
    branches[0].text = TextContext(states: states.span, model: model, pool: pool)
    let workspace = LanguageModelWorkspace(config: config)
    let tokens = tokens(4)
    let plain = logits(model, tokens, passes: [1, 1, 1, 1])
    for step in 0..<4 {
      for branch in branches { branch.feed(tokens[step]) }
      model.step(branches, workspace: workspace, pool: pool)
      branches[0].withLogits { logits, _ in #expect(logits.array() != plain[step]) }
      branches[1].withLogits { logits, _ in #expect(logits.array() == plain[step]) }
    }
  }
}
