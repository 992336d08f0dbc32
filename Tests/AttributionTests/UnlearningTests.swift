import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Unlearning")
struct UnlearningTests {
  private func layout() -> ParameterLayout {
    ParameterLayout([("x.layers.0.a", [2]), ("x.layers.0.b", [2]), ("other", [1])])
  }

  private func buffer(_ values: [Float]) -> WorkBuffer {
    let result = WorkBuffer(count: values.count)
    result.copy(from: values.span)
    return result
  }

  @Test("the step is the closed form, tensor by tensor; without Fisher information nothing moves")
  func closedForm() {
    let layout = layout()
    let start = Parameters(layout: layout, values: buffer([1, 2, 3, 4, 5]))
    let gradient = buffer([1, -1, 1, 1, 1])
    let fisher = buffer([0.1, 0.3, 0, 0, 1])
    let end = UnlearningStep(items: 10, learningRate: 0.5, damping: 0.1).apply(
      to: start, gradient: gradient.span, fisher: fisher.span,
      wanted: LayerChoice.allTransformer.wanted(of: layout))
    let values = end.values.array()
    #expect(abs(values[0] - (1 + 0.05 / (0.1 + 0.02))) < 1e-6)
    #expect(abs(values[1] - (2 - 0.05 / (0.3 + 0.02))) < 1e-6)
    #expect(Array(values[2...]) == [3, 4, 5])
  }

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

  @Test("the Fisher information is the same bit for bit when it was stopped and taken up again")
  func fisherResumes() throws {
    struct Stop: Error {}
    let tiny = try TinyDiffusion()
    let catalogue = try Catalogue(folder: tiny.catalogue)
    let ids = catalogue.tracks.map(\.id)
    func estimate(_ cache: String) throws -> FisherEstimate {
      FisherEstimate(
        runner: LossRunner(try tiny.losses(), threads: 2), layers: .selfAttention,
        plan: DrawPlan(draws: 3, window: 15), cache: tiny.folder.file(cache), identity: "x")
    }
    let whole = try estimate("a").compute(
      ids: ids, item: { try catalogue.item($0) }, progress: { _ in })
    for stop in [1, 4, 8] {
      _ = try? estimate("b\(stop)").compute(
        ids: ids, item: { try catalogue.item($0) },
        progress: { if $0 == stop { throw Stop() } })
      var first: Int?
      let resumed = try estimate("b\(stop)").compute(
        ids: ids, item: { try catalogue.item($0) },
        progress: { if first == nil { first = $0 } })
      #expect(first == stop)
      #expect(resumed.values.array() == whole.values.array())
    }
    let cached = try estimate("a").compute(
      ids: ids, item: { _ in throw Stop() }, progress: { _ in })
    #expect(cached.values.array() == whole.values.array())
  }

  @Test("losses are the same bits for any number of threads and any company")
  func company() throws {
    let tiny = try TinyDiffusion()
    let model = try tiny.losses()
    let catalogue = try Catalogue(folder: tiny.catalogue)
    let plan = DrawPlan(draws: 2, window: 12)
    let ids = catalogue.tracks.map(\.id)
    let draws = try ids.map {
      try plan.draws(of: try catalogue.item($0), for: .score, network: model.network)
    }
    let together = try LossRunner(model, threads: 3).losses(
      of: draws, names: ids, model.parameters)
    for (place, id) in ids.enumerated() {
      let alone = try LossRunner(model, threads: 1).losses(
        of: [draws[place]], names: [id], model.parameters)
      #expect(alone[0] == together[place])
    }
  }

  @Test("a loss that is not a number names the track")
  func notFinite() throws {
    let model = try TinyDiffusion().losses()
    let broken = Parameters(
      layout: model.layout,
      values: buffer(model.parameters.values.array().map { _ in Float.nan }))
    let draw = try DrawPlan(draws: 1, window: 4).draws(
      of: LossItem(
        id: "a", frames: 4,
        content: .latent(
          [Float](repeating: 1, count: 16), channels: 4, context: [], tokens: 0, global: [])),
      for: .score, network: model.network)
    #expect(throws: AttributionError.lossNotFinite(item: "a")) {
      try LossRunner(model, threads: 1).losses(of: [draw], names: ["a"], broken)
    }
  }
}
