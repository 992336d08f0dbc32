import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Fisher information")
struct FisherTests {
  private let tiny: TinyDiffusion
  private let catalogue: Catalogue
  private let runner: LossRunner

  init() throws {
    tiny = try TinyDiffusion()
    catalogue = try Catalogue(folder: tiny.catalogue)
    runner = LossRunner(try tiny.losses(), threads: 1)
  }

  private func estimate(
    _ cache: String = "cache", layers: LayerChoice = .allTransformer,
    plan: DrawPlan = DrawPlan(draws: 2, window: 10), identity: String = "x"
  ) -> FisherEstimate {
    FisherEstimate(
      runner: runner, layers: layers, plan: plan, cache: tiny.folder.file(cache),
      identity: identity)
  }

  private func compute(
    _ estimate: FisherEstimate, _ ids: [String] = ["track-0", "track-1", "track-2"]
  )
    throws -> FisherInformation
  {
    try estimate.compute(ids: ids, item: { try catalogue.item($0) }, progress: { _ in })
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

  @Test("is the mean of squared gradients over items and draws, zero where nothing is asked for")
  func definition() throws {
    let plan = DrawPlan(draws: 3, window: 10)
    let found = try compute(estimate(layers: .selfAttention, plan: plan)).values.array()
    let layout = runner.model.layout
    let wanted = layout.entries.map { _ in true }
    var expected = [Double](repeating: 0, count: layout.count)
    for id in ["track-0", "track-1", "track-2"] {
      for draw in try plan.draws(
        of: try catalogue.item(id), for: .fisher, network: runner.model.network)
      {
        let gradient = try runner.gradient(
          of: [draw], name: id, runner.model.parameters, wanted: wanted
        ).gradient
        for (i, value) in gradient.array().enumerated() {
          expected[i] += Double(value) * Double(value) / 9
        }
      }
    }
    for entry in layout.entries {
      let isWanted = LayerChoice.selfAttention.contains(entry.name)
      let largest = entry.range.reduce(0) { max($0, expected[$1]) }
      for i in entry.range {
        #expect(
          isWanted ? abs(Double(found[i]) - expected[i]) <= 1e-5 * largest : found[i] == 0)
      }
    }
  }

  @Test("its file's name says everything that it depends on")
  func keys() {
    let keys = [
      estimate().key, estimate(layers: .selfAttention).key, estimate(identity: "y").key,
      estimate(plan: DrawPlan(draws: 3, window: 10)).key,
      estimate(plan: DrawPlan(draws: 2, window: 11)).key,
      estimate(plan: DrawPlan(draws: 2, window: 10, masks: true)).key,
    ]
    #expect(Set(keys).count == keys.count && keys.allSatisfy { $0.count == 32 })
    #expect(estimate("elsewhere").key == estimate().key)
  }

  @Test("is read from its file the next time, with how many items and draws it is of")
  func cached() throws {
    let first = try compute(estimate())
    let again = try estimate().compute(
      ids: ["track-0", "track-1", "track-2"],
      item: { id in throw AttributionError.noTrack(id: id, catalogue: "") }, progress: { _ in })
    #expect(again.values.array() == first.values.array() && again.items == 3 && again.draws == 2)
    #expect(try tiny.folder.names().contains("cache"))
    let files = try FileManager.default.contentsOfDirectory(atPath: tiny.folder.file("cache").path)
    #expect(files == [estimate().key + ".safetensors"], "nothing half done is left")
  }

  @Test(
    "a file that is broken, or of another network, is computed again", arguments: [true, false])
  func broken(isPartial: Bool) throws {
    let first = try compute(estimate("good"))
    let cache = tiny.folder.file("bad")
    try FileManager.default.createDirectory(at: cache, withIntermediateDirectories: true)
    let name = estimate().key + (isPartial ? ".partial" : "") + ".safetensors"
    for wrong in 0..<2 {
      if wrong == 0 {
        try Data("no tensors".utf8).write(to: cache.appendingPathComponent(name))
      } else {
        try SafetensorsWriter.write(
          [
            .init(name: "lane.0", shape: [runner.model.layout.count], floats: first.values.array()),
            .init(name: "lane.1", shape: [3], floats: [1, 2, 3]),
          ], metadata: ["items": "2"], to: cache.appendingPathComponent(name))
      }
      #expect(try compute(estimate("bad")).values.array() == first.values.array())
      try FileManager.default.removeItem(
        at: cache.appendingPathComponent(estimate().key + ".safetensors"))
    }
  }
}
