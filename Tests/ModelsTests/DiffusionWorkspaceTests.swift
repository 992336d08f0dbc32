import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Diffusion workspace")
struct DiffusionWorkspaceTests {
  @Test("a workspace's bytes are those of its buffers", arguments: ["prepend", "adaLN"], [0, 5])
  func bytes(kind: String, tokens: Int) throws {
    var config = try DiffusionTransformerConfig(
      file: fixture("attribution/diffusion_\(kind).json"))
    config.depth = 3
    if tokens == 0 { config.conditioningWidth = 0 }
    let network = DiffusionTransformer(config: config)
    for keeps in [true, false] {
      let workspace = DiffusionWorkspace(network, frames: 11, tokens: tokens, keepsLayers: keeps)
      let real = Mirror(reflecting: workspace).children.reduce(0) {
        $0 + (($1.value as? WorkBuffer)?.count ?? 0) * 4
      }
      let said = DiffusionWorkspace.bytes(network, frames: 11, tokens: tokens, keepsLayers: keeps)
      #expect(said == real, "\(kind), \(tokens) tokens, keeps \(keeps)")
    }
  }

  @Test("one layer at a time takes one layer's room beside the inputs of all", arguments: [2, 7])
  func slots(depth: Int) {
    var config = DiffusionTransformerConfig(channels: 4, width: 64, depth: depth, heads: 2)
    config.conditioningWidth = 24
    let network = DiffusionTransformer(config: config)
    let (kept, single) = (
      DiffusionWorkspace(network, frames: 9, tokens: 5),
      DiffusionWorkspace(network, frames: 9, tokens: 5, keepsLayers: false)
    )
    #expect(kept.h.count == depth * single.h.count && kept.z.count == depth * single.z.count)
    #expect(kept.x.count == single.x.count && kept.x.count == (depth + 1) * 10 * 64)
    #expect(kept.rows == 10, "nine frames behind the prepended global token")
  }

  @Test("without conditioning tokens there is no room for their attention")
  func unconditioned() {
    let config = DiffusionTransformerConfig(channels: 4, width: 64, depth: 2, heads: 2)
    let w = DiffusionWorkspace(DiffusionTransformer(config: config), frames: 9, tokens: 0)
    #expect(w.cross == nil && w.crossQKV.count == 0 && w.context.count == 0)
  }

  @Test("a part of a layer's modulation is a row of it")
  func modulation() {
    var config = DiffusionTransformerConfig(channels: 4, width: 64, depth: 3, heads: 2)
    config.globalConditioning = .adaLN
    let w = DiffusionWorkspace(DiffusionTransformer(config: config), frames: 3, tokens: 0)
    var all = w.layerModulation.mutableSpan
    for i in 0..<all.count { all[i] = Float(i) }
    let part = w.modulationPart(2, slot: 1, width: 64)
    #expect(part.count == 64 && part[0] == Float((6 + 2) * 64) && w.rows == 3)
  }
}
