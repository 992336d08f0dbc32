import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Language model loss and gradient")
struct LanguageModelLossTests {
  // The shape that Fixtures/attribution/make_language_model.py writes.
  static let config = LanguageModelConfig(
    layers: 2, heads: 2, hidden: 16, feedForward: 24, codebooks: 3, cardinality: 11)
  let store: TensorStore
  let model = LanguageModelLoss(config: Self.config, hasText: true)
  let parameters: Parameters

  init() throws {
    store = try TensorStore(file: fixture("attribution/language_model.safetensors"))
    parameters = try Parameters(layout: model.layout, from: store, prefix: LanguageModelLoss.prefix)
  }

  private func golden(_ name: String) throws -> [Float] {
    try store.tensor("golden." + name).floats()
  }

  private func window(_ track: Int, text: Bool = false, masked: Bool = false) throws
    -> LanguageModelLoss.Window
  {
    let codes = try store.tensor("golden.codes").integers()
    return LanguageModelLoss.Window(
      codes: Array(codes[track * 27..<(track + 1) * 27]), frames: 9,
      text: text ? Array(try golden("text")[track * 64..<(track + 1) * 64]) : [],
      mask: masked ? try golden("mask").map { $0 > 0 } : nil)
  }

  @Test("losses agree with the reference, with and without text and mask")
  func losses() throws {
    let plain = model.makeWorkspace(frames: 9)
    let told = model.makeWorkspace(frames: 9, text: 4)
    for track in 0..<4 {
      let found = model.loss(of: try window(track), parameters, plain)
      #expect(abs(found - Double(try golden("loss")[track])) < 1e-5)
      let withText = model.loss(of: try window(track, text: true), parameters, told)
      #expect(abs(withText - Double(try golden("loss_text")[track])) < 1e-5)
      let masked = model.loss(of: try window(track, masked: true), parameters, plain)
      #expect(abs(masked - Double(try golden("loss_masked")[track])) < 1e-5)
    }
  }

  @Test(
    "gradients agree with the reference to 1e-4 of each tensor's largest", arguments: [true, false])
  func gradients(keepsLayers: Bool) throws {
    let wanted = model.layout.entries.map { !$0.name.contains("encoder_attn") }
    let gradient = GradientAccumulator(layout: model.layout, wanted: wanted, rule: .sum)
    let w = model.makeWorkspace(frames: 9, keepsLayers: keepsLayers)
    let loss = model.gradient(of: try window(0), parameters, w, into: gradient)
    #expect(abs(loss - Double(try golden("loss")[0])) < 1e-5)
    try compare(gradient, "grad.")
  }

  @Test("gradients with text and mask agree, the cross-attention's too")
  func gradientsWithText() throws {
    let wanted = model.layout.entries.map { _ in true }
    let gradient = GradientAccumulator(layout: model.layout, wanted: wanted, rule: .sum)
    let w = model.makeWorkspace(frames: 9, text: 4)
    _ = model.gradient(of: try window(0, text: true, masked: true), parameters, w, into: gradient)
    try compare(gradient, "grad_text_masked.")
  }

  @Test("the mean of squared per-track gradients is the reference's Fisher information")
  func fisher() throws {
    let wanted = model.layout.entries.map { !$0.name.contains("encoder_attn") }
    let gradient = GradientAccumulator(layout: model.layout, wanted: wanted, rule: .squares)
    let w = model.makeWorkspace(frames: 9)
    for track in 0..<4 {
      _ = model.gradient(of: try window(track), parameters, w, into: gradient)
    }
    try compare(gradient, "fisher.", scale: 0.25)
  }

  @Test("tensors that nobody asked for stay zero and change nothing else")
  func selection() throws {
    let all = GradientAccumulator(
      layout: model.layout, wanted: model.layout.entries.map { _ in true }, rule: .sum)
    let some = GradientAccumulator(
      layout: model.layout, wanted: model.layout.entries.map { $0.name.contains("layers.1.fc1") },
      rule: .sum)
    let w = model.makeWorkspace(frames: 9)
    _ = model.gradient(of: try window(1), parameters, w, into: all)
    _ = model.gradient(of: try window(1), parameters, w, into: some)
    for entry in model.layout.entries {
      let found = Array(some.sums.array()[entry.range])
      let expected = Array(all.sums.array()[entry.range])
      let isWanted = entry.name.contains("layers.1.fc1")
      #expect(found == (isWanted ? expected : expected.map { _ in 0 }), "\(entry.name)")
    }
  }

  private func compare(_ found: GradientAccumulator, _ prefix: String, scale: Float = 1) throws {
    let sums = found.sums.array()
    for (place, entry) in found.layout.entries.enumerated() where found.wanted[place] {
      let expected = try golden(prefix + entry.name)
      let largest = expected.reduce(0) { max($0, abs($1)) }
      for (a, b) in zip(sums[entry.range], expected) {
        #expect(abs(a * scale - b) <= 1e-4 * largest + 1e-9, "\(prefix)\(entry.name)")
      }
    }
  }
}
