import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Loss of either network")
struct LossModelTests {
  private func language() throws -> LossModel {
    try AskedModel(folder: fixture("MusicGen/mono/model")).loss
  }

  private func windows(_ frames: [Int]) -> [LossDraw] {
    frames.map { count in
      .window(
        LanguageModelLoss.Window(
          codes: (0..<4 * count).map { Int32($0 * 7 % 16) }, frames: count))
    }
  }

  private func latents(_ frames: [Int], _ model: LossModel) throws -> [LossDraw] {
    try frames.map { count in
      var random = TestRandom(seed: 2)
      let item = LossItem(
        id: "x", frames: count,
        content: .latent(
          random.normal(4 * count), channels: 4, context: [], tokens: 0, global: []))
      return try DrawPlan(draws: 1, window: count).draws(
        of: item, for: .score, network: model.network)[0]
    }
  }

  @Test("an evaluator that saw draws of other lengths before gives the same as a new one")
  func lengths() throws {
    let (language, diffusion) = (try language(), try TinyDiffusion().losses())
    let frames = [9, 5, 9, 12, 5]
    for (model, draws) in [
      (language, windows(frames)), (diffusion, try latents(frames, diffusion)),
    ] {
      let old = model.makeEvaluator()
      let layout = model.layout
      for draw in draws {
        let (one, other) = (
          GradientAccumulator(layout: layout, wanted: layout.entries.map { _ in true }, rule: .sum),
          GradientAccumulator(layout: layout, wanted: layout.entries.map { _ in true }, rule: .sum)
        )
        let new = model.makeEvaluator()
        #expect(
          old.loss(of: draw, model.parameters) == new.loss(of: draw, model.parameters))
        #expect(
          old.gradient(of: draw, model.parameters, into: one)
            == new.gradient(of: draw, model.parameters, into: other))
        #expect(one.sums.array() == other.sums.array())
      }
    }
  }

  @Test("the gradient points the way in which the loss rises")
  func slope() throws {
    let (language, diffusion) = (try language(), try TinyDiffusion().losses())
    for (model, draw) in [(language, windows([8])[0]), (diffusion, try latents([8], diffusion)[0])]
    {
      let gradient = GradientAccumulator(
        layout: model.layout, wanted: model.layout.entries.map { _ in true }, rule: .sum)
      let evaluator = model.makeEvaluator()
      let loss = evaluator.gradient(of: draw, model.parameters, into: gradient)
      let slopes = gradient.sums.array()
      let square = slopes.reduce(0.0) { $0 + Double($1) * Double($1) }
      // A step along the gradient that raises the loss by about a thousandth of itself.
      let step = 1e-3 * loss / square
      let values = WorkBuffer(count: model.layout.count)
      values.copy(from: model.parameters.values.span)
      var target = values.mutableSpan
      for i in slopes.indices { target[i] += Float(step * Double(slopes[i])) }
      let moved = evaluator.loss(of: draw, Parameters(layout: model.layout, values: values))
      #expect(abs((moved - loss) / (1e-3 * loss) - 1) < 0.05)
    }
  }

  @Test("says what is measured, and how many layers' states there are")
  func facts() throws {
    let (language, diffusion) = (try language(), try TinyDiffusion().losses())
    #expect(language.objective.contains("cross entropy"))
    #expect(diffusion.objective.contains("v-objective"))
    for (model, draw, width) in [
      (language, windows([8])[0], 16), (diffusion, try latents([8], diffusion)[0], 64),
    ] {
      let states = model.makeEvaluator().meanStates(of: draw, model.parameters)
      #expect(states.count == model.layers * width && states.allSatisfy(\.isFinite))
    }
  }
}
