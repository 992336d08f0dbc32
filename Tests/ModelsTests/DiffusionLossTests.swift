import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Diffusion loss")
struct DiffusionLossTests {
  /// The fixture's draw with another time or mask.
  private func draw(_ golden: DiffusionGolden, time: Float? = nil, mask: [Bool]? = nil) throws
    -> DiffusionDraw
  {
    let plain = try golden.draw(masked: false)
    return DiffusionDraw(
      latent: plain.latent, frames: plain.frames, time: time ?? plain.time, noise: plain.noise,
      context: plain.context, tokens: plain.tokens, global: plain.global, mask: mask)
  }

  private func workspace(_ golden: DiffusionGolden) -> DiffusionWorkspace {
    DiffusionWorkspace(golden.network, frames: 11, tokens: 5)
  }

  @Test(
    "losses agree with the reference, with and without a mask", arguments: ["prepend", "adaLN"])
  func reference(kind: String) throws {
    let golden = try DiffusionGolden(kind)
    let w = workspace(golden)
    for (isMasked, name) in [(false, "loss"), (true, "loss_masked")] {
      let loss = golden.network.loss(
        of: try golden.draw(masked: isMasked), golden.parameters, w)
      #expect(abs(loss / Double(try golden.floats(name)[0]) - 1) < 1e-5)
    }
  }

  @Test("at both ends of time the network sees the latent or the noise, and aims at the other")
  func ends() throws {
    let golden = try DiffusionGolden("prepend")
    let w = workspace(golden)
    let plain = try golden.draw(masked: false)
    for (time, seen, target) in [
      (Float(0), plain.latent, plain.noise), (1, plain.noise, plain.latent.map { -$0 }),
    ] {
      var output = FloatBuffer(count: 44)
      var span = output.mutableSpan
      golden.network.forward(
        FloatBuffer(seen).span, time: time, context: FloatBuffer(plain.context).span,
        global: FloatBuffer(plain.global).span, golden.parameters, w, into: &span)
      let squares = zip(output.array(), target).map { pow(Double($0 - $1), 2) }
      let loss = golden.network.loss(of: try draw(golden, time: time), golden.parameters, w)
      #expect(abs(loss / (squares.reduce(0, +) / 44) - 1) < 1e-5)
    }
  }

  @Test("masked frames do not count, and a mask of everything is no mask")
  func masks() throws {
    let golden = try DiffusionGolden("prepend")
    let w = workspace(golden)
    func loss(_ mask: [Bool]?) throws -> Double {
      golden.network.loss(of: try draw(golden, mask: mask), golden.parameters, w)
    }
    #expect(try loss([Bool](repeating: true, count: 11)) == loss(nil))
    // The mean over single frames is the whole.
    let single = try (0..<11).map { frame in try loss((0..<11).map { $0 == frame }) }
    #expect(abs(single.reduce(0, +) / 11 / (try loss(nil)) - 1) < 1e-9)
    let pair = try loss((0..<11).map { $0 == 3 || $0 == 7 })
    #expect(abs(pair / ((single[3] + single[7]) / 2) - 1) < 1e-12)
  }

  @Test("the loss of the gradient's pass is the loss")
  func same() throws {
    let golden = try DiffusionGolden("adaLN")
    let w = workspace(golden)
    let layout = golden.network.layout
    let gradient = GradientAccumulator(
      layout: layout, wanted: layout.entries.map { _ in false }, rule: .sum)
    for isMasked in [false, true] {
      let draw = try golden.draw(masked: isMasked)
      #expect(
        golden.network.gradient(of: draw, golden.parameters, w, into: gradient)
          == golden.network.loss(of: draw, golden.parameters, w))
    }
  }

  @Test("mean states are one row per layer, whether a workspace keeps them all or not")
  func states() throws {
    let golden = try DiffusionGolden("prepend")
    let config = golden.network.config
    let draw = try golden.draw(masked: false)
    let found = [true, false].map { keeps in
      let w = DiffusionWorkspace(golden.network, frames: 11, tokens: 5, keepsLayers: keeps)
      _ = golden.network.loss(of: draw, golden.parameters, w)
      return golden.network.meanStates(w)
    }
    #expect(found[0].count == config.depth * config.width && found[0] == found[1])
    #expect(found[0].allSatisfy(\.isFinite) && found[0].contains { $0 != 0 })
  }
}
