import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Diffusion transformer")
struct DiffusionTransformerTests {
  @Test("output agrees with the reference", arguments: ["prepend", "adaLN"])
  func forward(kind: String) throws {
    let golden = try DiffusionGolden(kind)
    let w = DiffusionWorkspace(golden.network, frames: 11, tokens: 5)
    var output = FloatBuffer(count: 44)
    var span = output.mutableSpan
    let draw = try golden.draw(masked: false)
    golden.network.forward(
      FloatBuffer(draw.latent).span, time: draw.time, context: FloatBuffer(draw.context).span,
      global: FloatBuffer(draw.global).span, golden.parameters, w, into: &span)
    let expected = try golden.floats("output")
    let largest = expected.reduce(0) { max($0, abs($1)) }
    for (a, b) in zip(output.array(), expected) { #expect(abs(a - b) < 1e-5 * largest) }
  }
}
