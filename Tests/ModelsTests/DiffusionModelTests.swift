import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Diffusion model")
struct DiffusionModelTests {
  private let fixture: DiffusionFolder

  init() throws { fixture = try DiffusionFolder() }

  @Test(
    "the length in seconds becomes the reference's vector; what is longer counts as the longest")
  func seconds() throws {
    for (a, b) in zip(fixture.model.global(seconds: 7.5), try fixture.floats("seconds")) {
      #expect(abs(a - b) < 1e-5)
    }
    #expect(fixture.model.global(seconds: 40) == fixture.model.global(seconds: 32))
    #expect(fixture.model.longest == 32)
  }

  @Test("latents get their scale back, frame by frame")
  func scale() {
    let rows = fixture.model.denormalised([0, 1, 0, 1, 0, 1, 0, 1], frames: 2)
    #expect(rows == [1, 2, 3, 4, 2, 12, 103, 1004])
  }

  @Test("says how many frames a second has, and is known by its configuration")
  func facts() throws {
    #expect(fixture.model.framesPerSecond == 50)
    #expect(fixture.model.mean == [1, 2, 3, 4] && fixture.model.deviation == [1, 10, 100, 1000])
    #expect(DiffusionModel.isModel(fixture.folder.url))
    #expect(!DiffusionModel.isModel(fixture.folder.file("elsewhere")))
  }

  @Test(
    "what cannot be computed is refused by name",
    arguments: [
      ("\"number\"", "\"t5\"", "seconds_total"),
      ("\"max_val\":32", "\"max_val\":0", "seconds_total"),
      ("\"io_sample_rate\":50", "\"io_sample_rate\":0", "io_sample_rate"),
      ("[\"prompt\"]", "[\"prompt\",\"melody\"]", "melody"),
      ("[\"seconds_total\"]", "[]", "global_cond_dim"),
      ("[\"seconds_total\"]", "[\"seconds_start\"]", "seconds_start"),
    ])
  func refusals(old: String, new: String, named: String) throws {
    do {
      _ = try fixture.changing(old, to: new)
      Issue.record("it was accepted")
    } catch let error as ModelError { #expect(error.problem.contains(named)) }
  }

  @Test(
    "a scale that is no scale is refused", arguments: [[1, 1, 1, 0], [1, 1, 1, -1], [1, 1, 1]])
  func scales(deviation: [Float]) throws {
    try SafetensorsWriter.write(
      [
        .init(name: "latent.mean", shape: [4], floats: [0, 0, 0, 0]),
        .init(name: "latent.deviation", shape: [deviation.count], floats: deviation),
      ], to: fixture.folder.file("normalisation.safetensors"))
    #expect(throws: (any Error).self) { try DiffusionModel(folder: fixture.folder.url) }
  }

  @Test("a folder without its scales or weights is refused", arguments: ["normalisation", "model"])
  func missing(file: String) throws {
    try FileManager.default.removeItem(at: fixture.folder.file("\(file).safetensors"))
    #expect(throws: SafetensorsError.self) { try DiffusionModel(folder: fixture.folder.url) }
  }

  private func velocity(context: [Float]?, guidance: Float) throws -> [Float] {
    let velocity = GuidedVelocity(
      model: fixture.model, frames: 11, context: context, global: try fixture.floats("global"),
      guidance: guidance, pool: ComputePool(threads: 2))
    return velocity(Array(try fixture.floats("noise")[..<44]), 0.5)
  }

  @Test("guidance goes from the answer without the text towards and beyond the one with it")
  func guidance() throws {
    let context = try fixture.floats("context")
    let with = try velocity(context: context, guidance: 1)
    let without = try velocity(context: context.map { _ in 0 }, guidance: 1)
    #expect(with != without)
    for guidance: Float in [0, 3] {
      let found = try velocity(context: context, guidance: guidance)
      for (index, value) in found.enumerated() {
        #expect(value == without[index] + (with[index] - without[index]) * guidance)
      }
    }
  }

  @Test("without a text there is nothing to be guided by")
  func plain() throws {
    #expect(
      try velocity(context: nil, guidance: 1) == velocity(context: nil, guidance: 7))
  }
}
