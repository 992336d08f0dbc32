import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Unlearning")
struct UnlearningTests {
  @Test(
    "raises the piece's own loss by the wanted share",
    arguments: UnlearningSettings.Method.allCases)
  func rise(method: UnlearningSettings.Method) throws {
    let tiny = try TinyDiffusion()
    let model = try tiny.losses()
    let runner = LossRunner(model, threads: 1)
    let catalogue = try Catalogue(folder: tiny.catalogue)
    let plan = DrawPlan(draws: 4, window: 20)
    let fisher = try FisherEstimate(
      runner: runner, layers: .allTransformer, plan: plan, cache: tiny.folder.file("c"),
      identity: "x"
    ).compute(ids: ["track-0", "track-1"], item: { try catalogue.item($0) }, progress: { _ in })
    var settings = UnlearningSettings()
    settings.method = method
    settings.rise = 0.05
    let draws = try plan.draws(
      of: try catalogue.item("track-0"), for: .unlearn, network: model.network)
    let result = try Unlearning(runner: runner, settings: settings, fisher: fisher, items: 9)
      .unlearn(draws, name: "track-0") {}
    #expect(abs((result.ownAfter / result.ownBefore - 1) / 0.05 - 1) < 0.05)
    #expect(result.relativeNorm > 0)
    for entry in model.layout.entries where !entry.name.contains(".layers.") {
      let before = Array(model.parameters.values.array()[entry.range])
      #expect(Array(result.parameters.values.array()[entry.range]) == before, "\(entry.name)")
    }
  }
}
