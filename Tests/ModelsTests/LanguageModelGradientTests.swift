import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Language model's gradient")
struct LanguageModelGradientTests {
  private let it: LanguageModelGolden

  init() throws { it = try LanguageModelGolden() }

  @Test(
    "gradients agree with the reference to 1e-4 of each tensor's largest", arguments: [true, false])
  func gradients(keepsLayers: Bool) throws {
    let wanted = it.model.layout.entries.map { !$0.name.contains("encoder_attn") }
    let gradient = GradientAccumulator(layout: it.model.layout, wanted: wanted, rule: .sum)
    let w = it.model.makeWorkspace(frames: 9, keepsLayers: keepsLayers)
    let loss = it.model.gradient(of: try it.window(0), it.parameters, w, into: gradient)
    #expect(abs(loss - Double(try it.golden("loss")[0])) < 1e-5)
    try compare(gradient, "grad.")
  }

  @Test("gradients with text and mask agree, the cross-attention's too")
  func gradientsWithText() throws {
    let wanted = it.model.layout.entries.map { _ in true }
    let gradient = GradientAccumulator(layout: it.model.layout, wanted: wanted, rule: .sum)
    let w = it.model.makeWorkspace(frames: 9, text: 4)
    _ = it.model.gradient(
      of: try it.window(0, text: true, masked: true), it.parameters, w, into: gradient)
    try compare(gradient, "grad_text_masked.")
  }

  @Test("the mean of squared per-track gradients is the reference's Fisher information")
  func fisher() throws {
    let wanted = it.model.layout.entries.map { !$0.name.contains("encoder_attn") }
    let gradient = GradientAccumulator(layout: it.model.layout, wanted: wanted, rule: .squares)
    let w = it.model.makeWorkspace(frames: 9)
    for track in 0..<4 {
      _ = it.model.gradient(of: try it.window(track), it.parameters, w, into: gradient)
    }
    try compare(gradient, "fisher.", scale: 0.25)
  }

  @Test("tensors that nobody asked for stay zero and change nothing else")
  func selection() throws {
    let all = GradientAccumulator(
      layout: it.model.layout, wanted: it.model.layout.entries.map { _ in true }, rule: .sum)
    let some = GradientAccumulator(
      layout: it.model.layout,
      wanted: it.model.layout.entries.map { $0.name.contains("layers.1.fc1") },
      rule: .sum)
    let w = it.model.makeWorkspace(frames: 9)
    _ = it.model.gradient(of: try it.window(1), it.parameters, w, into: all)
    _ = it.model.gradient(of: try it.window(1), it.parameters, w, into: some)
    for entry in it.model.layout.entries {
      let found = Array(some.sums.array()[entry.range])
      let expected = Array(all.sums.array()[entry.range])
      let isWanted = entry.name.contains("layers.1.fc1")
      #expect(found == (isWanted ? expected : expected.map { _ in 0 }), "\(entry.name)")
    }
  }

  private func compare(_ found: GradientAccumulator, _ prefix: String, scale: Float = 1) throws {
    let sums = found.sums.array()
    for (place, entry) in found.layout.entries.enumerated() where found.wanted[place] {
      let expected = try it.golden(prefix + entry.name)
      let largest = expected.reduce(0) { max($0, abs($1)) }
      for (a, b) in zip(sums[entry.range], expected) {
        #expect(abs(a * scale - b) <= 1e-4 * largest + 1e-9, "\(prefix)\(entry.name)")
      }
    }
  }
}
