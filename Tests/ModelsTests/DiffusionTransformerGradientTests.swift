import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Diffusion transformer's gradient")
struct DiffusionTransformerGradientTests {
  @Test(
    "gradients agree with the reference to 1e-4 of each tensor's largest",
    arguments: ["prepend", "adaLN"], [true, false])
  func backward(kind: String, keepsLayers: Bool) throws {
    let golden = try DiffusionGolden(kind)
    let layout = golden.network.layout
    let w = DiffusionWorkspace(golden.network, frames: 11, tokens: 5, keepsLayers: keepsLayers)
    let gradient = GradientAccumulator(
      layout: layout, wanted: layout.entries.map { _ in true }, rule: .sum)
    _ = golden.network.gradient(
      of: try golden.draw(masked: true), golden.parameters, w, into: gradient)
    let sums = gradient.sums.array()
    for entry in layout.entries {
      let largest = try golden.floats("largest." + entry.name)[0]
      let found = stride(from: entry.range.lowerBound, to: entry.range.upperBound, by: 37)
        .map { sums[$0] }
      for (a, b) in zip(found, try golden.floats("grad." + entry.name)) {
        #expect(abs(a - b) <= 1e-4 * largest + 1e-9, "\(kind) \(entry.name)")
      }
    }
  }

  /// All gradients of a draw.
  private func gradient(
    _ golden: DiffusionGolden, wanted: [Bool]? = nil, rule: GradientAccumulator.Rule = .sum,
    times: Int = 1
  ) throws -> GradientAccumulator {
    let layout = golden.network.layout
    let w = DiffusionWorkspace(golden.network, frames: 11, tokens: 5)
    let gradient = GradientAccumulator(
      layout: layout, wanted: wanted ?? layout.entries.map { _ in true }, rule: rule)
    for _ in 0..<times {
      _ = golden.network.gradient(
        of: try golden.draw(masked: false), golden.parameters, w, into: gradient)
    }
    return gradient
  }

  @Test(
    "a tensor's gradient is the same bits whatever else is asked for; the others stay zero",
    arguments: ["prepend", "adaLN"])
  func selection(kind: String) throws {
    let golden = try DiffusionGolden(kind)
    let layout = golden.network.layout
    let all = try gradient(golden).sums.array()
    for part in [
      ".layers.0.self_attn", "cross_attn.to_kv", "to_timestep_embed", "project_in", "norm.gamma",
    ] {
      let wanted = layout.entries.map { $0.name.contains(part) }
      #expect(wanted.contains(true), "\(part)")
      let some = try gradient(golden, wanted: wanted).sums.array()
      for (entry, isWanted) in zip(layout.entries, wanted) {
        let expected = isWanted ? Array(all[entry.range]) : entry.range.map { _ in 0 }
        #expect(Array(some[entry.range]) == expected, "\(part): \(entry.name)")
      }
    }
  }

  @Test("a workspace that was used before gives the same gradient again, and squares are squares")
  func again() throws {
    let golden = try DiffusionGolden("prepend")
    let once = try gradient(golden).sums.array()
    let twice = try gradient(golden, times: 2).sums.array()
    let squares = try gradient(golden, rule: .squares).sums.array()
    for ((a, b), c) in zip(zip(once, twice), squares) { #expect(b == a + a && c == a * a) }
  }
}
