import Foundation
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Draws")
struct DrawPlanTests {
  private let language = LossModel.Network.language(
    LanguageModelLoss(
      config: LanguageModelConfig(
        layers: 1, heads: 1, hidden: 8, feedForward: 8, codebooks: 2, cardinality: 9)))

  private func song(_ id: String, frames: Int, mask: [Bool]? = nil) -> LossItem {
    LossItem(
      id: id, frames: frames, mask: mask,
      content: .codes((0..<2 * frames).map { Int32($0 % 9) }, books: 2))
  }

  private func windows(_ plan: DrawPlan, _ item: LossItem, _ purpose: DrawPlan.Purpose = .score)
    throws -> [[Int32]]
  {
    try plan.draws(of: item, for: purpose, network: language).map {
      guard case .window(let window) = $0 else { return [] }
      return window.codes
    }
  }

  @Test("are a pure function of purpose, id and index")
  func pure() throws {
    let item = song("a", frames: 200)
    let few = try windows(DrawPlan(draws: 3, window: 10), item)
    let many = try windows(DrawPlan(draws: 9, window: 10), item)
    #expect(Array(many.prefix(3)) == few)
    #expect(try windows(DrawPlan(draws: 9, window: 10), song("b", frames: 200)) != many)
    #expect(try windows(DrawPlan(draws: 9, window: 10), item, .unlearn) != many)
  }

  @Test("of a piece that is unlearned are spread over the whole of it")
  func spread() throws {
    let item = LossItem(
      id: "a", frames: 210, content: .codes((0..<420).map { Int32($0 % 210 / 30) }, books: 2))
    // A window lies in the i-th of 20 parts: 10 frames each.
    let found = try windows(DrawPlan(draws: 20, window: 10), item, .unlearn)
    let heard = Set(found.flatMap { $0 })
    #expect(heard == Set((0..<7).map { Int32($0) }))
    for (index, window) in found.enumerated() {
      #expect(window.allSatisfy { abs(Int($0) * 30 - index * 10) <= 40 })
    }
  }

  @Test("of a scored track are moved out of silence, and stay where all is silent")
  func silence() throws {
    var mask = [Bool](repeating: false, count: 200)
    for t in 100..<110 { mask[t] = true }
    let item = song("a", frames: 200, mask: mask)
    let codes = song("a", frames: 200)
    let moved = try windows(DrawPlan(draws: 20, window: 10), item)
    let plain = try windows(DrawPlan(draws: 20, window: 10), codes)
    #expect(moved != plain)
    let sounding = Set((91..<110).map { start in (0..<10).map { Int32((start + $0) % 9) } })
    #expect(moved.allSatisfy { sounding.contains(Array($0.prefix(10))) })
    let silent = song("a", frames: 200, mask: mask.map { _ in false })
    #expect(try windows(DrawPlan(draws: 20, window: 10), silent) == plain)
  }

  @Test("of a short item are the whole item")
  func short() throws {
    let item = song("a", frames: 5)
    #expect(try windows(DrawPlan(draws: 2, window: 10), item)[1].count == 10)
  }

  @Test("with a mask avoid windows that are silent throughout, and refuse silence")
  func masked() throws {
    var mask = [Bool](repeating: false, count: 100)
    mask[60] = true
    let plan = DrawPlan(draws: 20, window: 10, masks: true)
    for draw in try plan.draws(
      of: song("a", frames: 100, mask: mask), for: .unlearn, network: language)
    {
      guard case .window(let window) = draw else { continue }
      #expect(window.mask?.contains(true) == true)
    }
    #expect(throws: AttributionError.emptyMask(item: "a")) {
      try plan.draws(
        of: song("a", frames: 100, mask: mask.map { _ in false }), for: .unlearn,
        network: language)
    }
  }

  @Test("codes of another codec are refused")
  func mismatch() throws {
    let item = LossItem(id: "a", frames: 2, content: .codes([0, 1, 2, 99], books: 2))
    #expect(throws: AttributionError.self) {
      try DrawPlan(draws: 1, window: 2).draws(of: item, for: .score, network: language)
    }
  }

  @Test("of a latent carry noise of mean 0 and deviation 1, and times that cover 0 to 1")
  func noise() throws {
    let network = try TinyDiffusion().losses().network
    let item = LossItem(
      id: "a", frames: 50,
      content: .latent(
        [Float](repeating: 0, count: 200), channels: 4, context: [], tokens: 0, global: []))
    var noise: [Float] = []
    var times: [Float] = []
    for draw in try DrawPlan(draws: 100, window: 50).draws(of: item, for: .score, network: network)
    {
      guard case .diffusion(let draw) = draw else { continue }
      noise += draw.noise
      times.append(draw.time)
    }
    let mean = noise.reduce(0, +) / Float(noise.count)
    let variance = noise.reduce(0) { $0 + $1 * $1 } / Float(noise.count)
    #expect(abs(mean) < 0.03 && abs(variance - 1) < 0.04)
    #expect(times.min() ?? 1 < 0.05 && times.max() ?? 0 > 0.95)
    #expect(Set(times).count == 100)
  }
}
