// The tiny language model of Tests/Fixtures/attribution, with losses and gradients of its reference.

import Foundation
import Kernels
import TestSupport

@testable import Models

/// What make_language_model.py wrote.
struct LanguageModelGolden {
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

  func golden(_ name: String) throws -> [Float] {
    try store.tensor("golden." + name).floats()
  }

  func window(_ track: Int, text: Bool = false, masked: Bool = false) throws
    -> LanguageModelLoss.Window
  {
    let codes = try store.tensor("golden.codes").integers()
    return LanguageModelLoss.Window(
      codes: Array(codes[track * 27..<(track + 1) * 27]), frames: 9,
      text: text ? Array(try golden("text")[track * 64..<(track + 1) * 64]) : [],
      mask: masked ? try golden("mask").map { $0 > 0 } : nil)
  }
}
