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

  @Test(
    "of a piece that is unlearned leave nothing of it out where they are enough", arguments: 0..<4)
  func whole(more: Int) throws {
    let item = LossItem(
      id: "a", frames: 207,
      content: .codes((0..<414).map { Int32($0 % 207 / 23) }, books: 2))
    let plan = DrawPlan(draws: 21 + more, window: 10)
    let windows = try windows(plan, item, .unlearn)
    #expect(windows.first?.first == 0 && windows.last?.last == 8)
    // Each window begins no later than the one before it ends: its 10 frames stay within 23 or reach the next 23.
    for (a, b) in zip(windows, windows.dropFirst()) { #expect(b[0] - a[9] <= 1) }
    #expect(windows.count == 21 + more)
  }

  @Test("of a scored track lie evenly over it, however many there are", arguments: [2, 5, 13, 34])
  func even(draws: Int) throws {
    let frames = 1000
    let codes = (0..<frames).map { Int32($0 % 9) } + (0..<frames).map { Int32($0 / 125) }
    for id in ["a", "b", "c"] {
      let item = LossItem(id: id, frames: frames, content: .codes(codes, books: 2))
      let parts = try windows(DrawPlan(draws: draws, window: 10), item).map { $0[10] }
      // No eighth of the track is asked more than twice as often as is fair, and one draw more.
      for part in 0..<8 {
        #expect(parts.count { $0 == Int32(part) } <= 1 + draws / 4, "\(id) \(draws)")
      }
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
    // However few, they are spread: none is nearer to another than half of what is fair.
    for count in [2, 5, 12] {
      let few = times.prefix(count).sorted()
      for (a, b) in zip(few, few.dropFirst()) { #expect(b - a > 0.25 / Float(count)) }
    }
  }

  @Test("of scored tracks share times and noise, those of pieces and Fisher information do not")
  func shared() throws {
    let network = try TinyDiffusion().losses().network
    func draws(_ id: String, _ purpose: DrawPlan.Purpose) throws -> [DiffusionDraw] {
      let item = LossItem(
        id: id, frames: 50,
        content: .latent(
          [Float](repeating: 0, count: 200), channels: 4, context: [], tokens: 0, global: []))
      let plan = DrawPlan(draws: 8, window: 20, times: 0.25...0.5)
      return try plan.draws(of: item, for: purpose, network: network).compactMap {
        guard case .diffusion(let draw) = $0 else { return nil }
        return draw
      }
    }
    let (a, b) = (try draws("a", .score), try draws("b", .score))
    #expect(a.map(\.time) == b.map(\.time) && a.map(\.noise) == b.map(\.noise))
    #expect(a.allSatisfy { (0.25...0.5).contains($0.time) } && Set(a.map(\.time)).count == 8)
    for purpose in [DrawPlan.Purpose.unlearn, .fisher, .heldOut] {
      let (c, d) = (try draws("a", purpose), try draws("b", purpose))
      #expect(c.map(\.time) != d.map(\.time) && c[0].noise != d[0].noise)
      #expect(c.map(\.time) != a.map(\.time) && c[0].noise != a[0].noise)
    }
  }
}
