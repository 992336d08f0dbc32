import Kernels
import Models
import TestSupport
import Testing

@Suite("Text context")
struct TextContextTests {
  @Test("text states of zeros leave the logits as they are without text")
  func zeros() throws {
    let model = try randomLanguageModel()
    let pool = ComputePool()
    let zeros = [Float](repeating: 0, count: 3 * smallConfig.hidden)
    let streams = (0..<2).map { _ in LanguageModelStream(config: smallConfig, capacity: 4) }
    streams[0].text = TextContext(states: zeros.span, model: model, pool: pool)
    #expect(streams[0].text?.positions == 3)
    let workspace = LanguageModelWorkspace(config: smallConfig)
    for stream in streams { stream.feed([1, 2, 3, 4]) }
    model.step(streams, workspace: workspace, pool: pool)
    let logits = streams.map { $0.withLogits { values, _ in values.array() } }
    #expect(logits[0] == logits[1])
  }
}
