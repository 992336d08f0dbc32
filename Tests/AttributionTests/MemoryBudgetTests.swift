import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Memory budget")
struct MemoryBudgetTests {
  @Test("little memory means computing again, with the same scores; too little is refused")
  func recomputes() throws {
    let tiny = try TinyDiffusion()
    let whole = try tiny.rank(tiny.request(), store: "a")
    let model = try tiny.losses()
    func needed(_ keeps: Bool) -> Int {
      MemoryBudget.bytes(model, frames: 15, tokens: 48, threads: 2, keepsLayers: keeps)
    }
    #expect(needed(false) <= needed(true))
    #expect(
      try MemoryBudget.keepsLayers(
        model, frames: 15, tokens: 48, threads: 2, megabytes: 1_000_000))
    #expect(throws: AttributionError.self) {
      try MemoryBudget.keepsLayers(model, frames: 15, tokens: 48, threads: 2, megabytes: 1)
    }
    var request = tiny.request()
    request.memory = 1000
    #expect(try tiny.rank(request, store: "b").tracks == whole.tracks)
  }
}
