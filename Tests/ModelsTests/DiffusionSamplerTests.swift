import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Diffusion sampler")
struct DiffusionSamplerTests {
  private let fixture: DiffusionFolder

  init() throws { fixture = try DiffusionFolder() }

  @Test(
    "makes what k-diffusion and stable-audio-tools make of the same noise",
    arguments: DiffusionSampler.Method.allCases, [Float(1), 3])
  func golden(method: DiffusionSampler.Method, guidance: Float) throws {
    var sampler = DiffusionSampler()
    sampler.method = method
    sampler.steps = 9
    sampler.noiseRange = 0.03...80
    let noise = try fixture.floats("noise")
    let velocity = GuidedVelocity(
      model: fixture.model, frames: 11, context: try fixture.floats("context"),
      global: try fixture.floats("global"),
      guidance: guidance, pool: ComputePool(threads: 2))
    let made = sampler.sample(
      noise: { Array(noise[$0 * 44..<($0 + 1) * 44]) }, velocity: { velocity($0, $1) })
    let expected = try fixture.floats("\(method.rawValue).\(Int(guidance))")
    let largest = expected.reduce(0) { max($0, abs($1)) }
    #expect(made.count == expected.count && largest > 0.1)
    for (a, b) in zip(made, expected) { #expect(abs(a - b) < 1e-4 * largest) }
  }

  @Test("noise levels are k-diffusion's")
  func schedule() throws {
    var sampler = DiffusionSampler()
    sampler.steps = 9
    sampler.noiseRange = 0.03...80
    let expected = try fixture.floats("sigmas")
    #expect(sampler.schedule.count == expected.count)
    for (a, b) in zip(sampler.schedule, expected) { #expect(abs(Float(a) - b) <= 1e-6 * b) }
  }

  @Test("normal numbers have mean 0 and deviation 1, and depend on seed and step alone")
  func normal() {
    let random = CounterRandom(seed: 5)
    let many = random.normal(step: 0, count: 20_001)
    let mean = many.reduce(0, +) / 20_001
    let square = many.reduce(0) { $0 + $1 * $1 } / 20_001
    #expect(many.count == 20_001 && abs(mean) < 0.03 && abs(square - 1) < 0.05)
    #expect(random.normal(step: 0, count: 7) == Array(many[..<7]))
    #expect(random.normal(step: 1, count: 7) != Array(many[..<7]))
  }
}
