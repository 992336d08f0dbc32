// Which of a network's tensors unlearning may change.

package import Models

/// The four choices of METHOD 6 [paper: poster, table 1], for both kinds of network.
package enum LayerChoice: String, Sendable, CaseIterable, Codable {
  /// Keys and values of the cross-attention.
  case crossAttentionKeyValue = "cross-attention-kv"
  case crossAttention = "cross-attention"
  case selfAttention = "self-attention"
  /// Everything inside the transformer's layers, norms included; the paper's best.
  case allTransformer = "all-transformer"

  /// The choice under the name that the oracle scripts use.
  init?(oracleName: String) {
    switch oracleName {
    case "all_transformer": self = .allTransformer
    case "self_attention": self = .selfAttention
    case "cross_attention": self = .crossAttention
    case "cross_attention_kv": self = .crossAttentionKeyValue
    default: return nil
    }
  }

  /// Whether the tensor `name` (of a checkpoint of either kind) belongs to the choice.
  package func contains(_ name: String) -> Bool {
    switch self {
    case .allTransformer: name.contains(".layers.")
    case .selfAttention: name.contains(".self_attn.")
    case .crossAttention: name.contains(".cross_attn.") || name.contains(".encoder_attn.")
    case .crossAttentionKeyValue:
      name.hasSuffix(".cross_attn.to_kv.weight") || name.hasSuffix(".encoder_attn.k_proj.weight")
        || name.hasSuffix(".encoder_attn.v_proj.weight")
    }
  }

  /// For each tensor of `layout`, whether it belongs to the choice.
  package func wanted(of layout: ParameterLayout) -> [Bool] {
    layout.entries.map { contains($0.name) }
  }
}
