import Kernels
import Models
import TestSupport
import Testing

@Suite("Language model stream")
struct LanguageModelStreamTests {
  @Test("tokens that were fed but not passed are gone after truncating or resetting")
  func pendingTokens() throws {
    let stream = LanguageModelStream(config: smallConfig, capacity: 4)
    stream.feed([0, 1, 2, 3])
    #expect(stream.pendingCount == 1)
    stream.truncate(to: 0)
    #expect(stream.pendingCount == 0)
    stream.feed([0, 1, 2, 3])
    stream.reset()
    #expect(stream.pendingCount == 0 && stream.length == 0)
  }

  @Test("the newest position's heads are kept, layer by layer, and its logits")
  func newest() throws {
    let model = try randomLanguageModel()
    let pool = ComputePool()
    let workspace = LanguageModelWorkspace(config: smallConfig)
    let (one, many) = (
      LanguageModelStream(config: smallConfig, capacity: 8),
      LanguageModelStream(config: smallConfig, capacity: 8)
    )
    for token in 0..<5 as Range<Int32> {
      one.feed([token, token, token, token])
      model.step([one], workspace: workspace, pool: pool)
      many.feed([token, token, token, token])
    }
    model.step([many], workspace: workspace, pool: pool)
    #expect(many.withLogits { _, columns in columns } == 1)
    let heads = [one, many].map { $0.withHeadOutputs { $0.array() } }
    #expect(heads[0].count == smallConfig.layers * smallConfig.hidden)
    #expect(heads[0] == heads[1])
    #expect(heads[0].contains { $0 != 0 })
  }
}
