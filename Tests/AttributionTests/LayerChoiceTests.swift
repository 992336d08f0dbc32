import Foundation
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Choice of layers")
struct LayerChoiceTests {
  private let language = LanguageModelLoss(
    config: LanguageModelConfig(
      layers: 2, heads: 2, hidden: 8, feedForward: 16, codebooks: 2, cardinality: 8),
    hasText: true
  ).layout
  private let diffusion: ParameterLayout

  init() throws {
    var config = DiffusionTransformerConfig(channels: 4, width: 64, depth: 2, heads: 2)
    config.conditioningWidth = 64
    diffusion = DiffusionTransformer(config: config).layout
  }

  private func chosen(_ choice: LayerChoice, _ layout: ParameterLayout) -> [String] {
    zip(layout.entries, choice.wanted(of: layout)).filter { $0.1 }.map { $0.0.name }
  }

  @Test(
    "keys and values of the cross-attention are two tensors a layer, or one where they are fused")
  func keysAndValues() {
    let names = chosen(.crossAttentionKeyValue, language)
    #expect(names.count == 4 && names.allSatisfy { $0.contains("encoder_attn.") })
    #expect(names.allSatisfy { $0.hasSuffix("k_proj.weight") || $0.hasSuffix("v_proj.weight") })
    #expect(
      chosen(.crossAttentionKeyValue, diffusion)
        == (0..<2).map { "transformer.layers.\($0).cross_attn.to_kv.weight" })
  }

  @Test("each choice lies inside the next, and none reaches beyond the layers")
  func nested() {
    for layout in [language, diffusion] {
      let sets = LayerChoice.allCases.reduce(into: [LayerChoice: Set<String>]()) {
        $0[$1] = Set(chosen($1, layout))
      }
      guard let narrow = sets[.crossAttentionKeyValue], let cross = sets[.crossAttention],
        let own = sets[.selfAttention], let all = sets[.allTransformer]
      else { return }
      #expect(!narrow.isEmpty && narrow.isStrictSubset(of: cross) && cross.isStrictSubset(of: all))
      #expect(!own.isEmpty && own.isStrictSubset(of: all) && own.isDisjoint(with: cross))
      #expect(all.allSatisfy { $0.contains(".layers.") })
      #expect(all.contains { $0.contains("norm") }, "norms included")
      #expect(all.count < layout.entries.count, "embeddings and heads stay")
    }
  }

  @Test("the oracle's names are the same four")
  func names() {
    let found = ["cross_attention_kv", "cross_attention", "self_attention", "all_transformer"]
      .compactMap { LayerChoice(oracleName: $0) }
    #expect(found == LayerChoice.allCases)
    #expect(LayerChoice(oracleName: "everything") == nil)
    #expect(LayerChoice(rawValue: "self-attention") == .selfAttention)
  }
}
