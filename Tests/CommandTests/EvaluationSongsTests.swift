import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Engine
@testable import continuo

@Suite("Cells of real songs")
struct EvaluationSongsTests {
  private let folder: TemporaryFolder
  private let runner: EvaluationRunner
  private let pool = ComputePool(threads: 1)

  init() throws {
    folder = try TemporaryFolder()
    let model = try MusicGen(
      folder: URL(fileURLWithPath: SmallCatalogue.model(in: folder.file("model"))))
    try SmallCatalogue.write(to: folder.file("test"), split: "test", count: 8, frames: 300)
    let bundle = try SmallCatalogue.bundle(["drums", "bass"])
    runner = EvaluationRunner(
      model: model, knobs: bundle.manifest.traits.map { PresetKnob(bundle: bundle, trait: $0) },
      songs: PromptSongs(
        catalogues: [try ActivityCatalogue(named: folder.file("test").path)], codebooks: 4,
        frames: 50),
      judge: try Recogniser(folder: fixture("Recogniser")), folder: folder.file("out"),
      settings: SamplingSettings(), pool: pool)
  }

  private func plan(_ targets: [String], present: Bool) -> CellPlan {
    var plan = CellPlan(suite: "songs", method: "songs", targets: targets, clips: 3, seconds: 1)
    plan.isOfSongs = true
    plan.start = present ? .with : .without
    return plan
  }

  @Test("probes read along given codes say what they said while those were made")
  func readings() throws {
    let plan = plan(["drums", "bass"], present: false)
    let language = runner.model.languageModel
    let prompt = try runner.songs.prompts(
      targets: ["drums"], present: true, isValidation: false, count: 1)[0].codes
    let rack = try runner.steering(plan)
    let generator = CodeGenerator(
      model: language, prompt: prompt, settings: SamplingSettings(seed: 3), steering: rack,
      pool: pool)
    for slot in 0..<2 { rack.settings[slot].start = generator.nextStep }
    var sums: [Float] = [0, 0]
    let frames = 90
    while generator.nextStep <= frames {
      generator.step()
      for slot in 0..<2 { sums[slot] += rack.state.slots[slot].reading }
    }
    let success = (0..<2).map { rack.state.slots[$0].successRate }
    while generator.wholeFrames < frames { generator.step() }
    let read = try runner.read([generator.codes(0..<frames)], plan)[0]
    for slot in 0..<2 {
      #expect(abs(read.mean[slot] - sums[slot] / Float(frames - 50)) < 1e-5)
      #expect(read.success[slot] == success[slot])
    }
  }

  @Test("windows sound as their cell says, none is taken twice, and nothing is made")
  func windows() throws {
    let with = try runner.figures(plan(["drums"], present: true))
    // Drums sound in the first 2 s of every song: one window of 2 s each.
    #expect(with.clips.count == 3 && with.clips.allSatisfy { $0.gain.isNaN })
    #expect(with.clips.allSatisfy { $0.presence[0].isFinite && $0.similarity.isFinite })
    var many = plan(["drums"], present: true)
    many.clips = 50
    #expect(try runner.figures(many).clips.count == 6)
    let again = try runner.figures(plan(["drums"], present: true))
    #expect(again.clips.map(\.reading) == with.clips.map(\.reading))
    let without = try runner.figures(plan(["drums"], present: false))
    #expect(without.clips.count == 3)
  }
}
