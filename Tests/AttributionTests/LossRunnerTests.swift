import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Losses of many draws")
struct LossRunnerTests {
  private func buffer(_ values: [Float]) -> WorkBuffer {
    let result = WorkBuffer(count: values.count)
    result.copy(from: values.span)
    return result
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

  @Test("gradients are the same bits for any number of threads; their mean is of all draws")
  func gradients() throws {
    let tiny = try TinyDiffusion()
    let model = try tiny.losses()
    let catalogue = try Catalogue(folder: tiny.catalogue)
    let draws = try DrawPlan(draws: 5, window: 12).draws(
      of: try catalogue.item("track-1"), for: .unlearn, network: model.network)
    let wanted = model.layout.entries.map { _ in true }
    let found = try [1, 2, 3].map {
      try LossRunner(model, threads: $0).gradient(
        of: draws, name: "track-1", model.parameters, wanted: wanted)
    }
    for other in found[1...] {
      #expect(other.gradient.array() == found[0].gradient.array() && other.loss == found[0].loss)
    }
    let single = try draws.map {
      try LossRunner(model, threads: 1).gradient(
        of: [$0], name: "track-1", model.parameters, wanted: wanted)
    }
    let losses = single.map(\.loss)
    #expect(abs(losses.reduce(0, +) / 5 - found[0].loss) < 1e-12)
    let whole = found[0].gradient.array()
    let largest = whole.reduce(0) { max($0, abs($1)) }
    for (i, value) in whole.enumerated() {
      let mean = single.reduce(Float(0)) { $0 + $1.gradient.span[i] } / 5
      #expect(abs(value - mean) < 1e-5 * largest)
    }
  }

  @Test("computing activations again gives the same gradient to the last bits")
  func recomputed() throws {
    let tiny = try TinyDiffusion()
    let model = try tiny.losses()
    let item = try Catalogue(folder: tiny.catalogue).item("track-1")
    let draws = try DrawPlan(draws: 2, window: 12).draws(
      of: item, for: .unlearn, network: model.network)
    let found = try [true, false].map {
      try LossRunner(model, threads: 1, keepsLayers: $0).gradient(
        of: draws, name: "", model.parameters, wanted: model.layout.entries.map { _ in true }
      ).gradient.array()
    }
    #expect(found[0] == found[1])
  }

  @Test("no items, no losses")
  func nothing() throws {
    let model = try TinyDiffusion().losses()
    #expect(try LossRunner(model, threads: 2).losses(of: [], names: [], model.parameters).isEmpty)
  }
}
