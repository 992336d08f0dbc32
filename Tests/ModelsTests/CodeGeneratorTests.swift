import Kernels
import Models
import TestSupport
import Testing

/// Codes of a generation from nothing.
func generatedCodes(
  _ model: LanguageModel, steps: Int, seed: UInt64 = 7, threads: Int = 1,
  plan: WindowPlan = WindowPlan()
) throws -> [Int32] {
  let generator = CodeGenerator(
    model: model, settings: SamplingSettings(topK: 0, seed: seed), plan: plan,
    pool: ComputePool(threads: threads))
  for _ in 0..<steps { generator.step() }
  return generator.codes(0..<generator.wholeFrames)
}

@Suite("Code generator")
struct CodeGeneratorTests {
  /// Windows of 40 positions that keep 12: twelve swaps in 350 steps.
  private let shortWindows = WindowPlan(length: 40, context: 12, rate: 3)

  private func prompt(_ frames: Int) -> [Int32] {
    var random = TestRandom(seed: 2)
    return (0..<frames * smallConfig.codebooks).map { _ in
      Int32.random(in: 0..<Int32(smallConfig.cardinality), using: &random)
    }
  }

  @Test("the prompt stays as it was and new frames follow it, one per step")
  func promptIsKept() throws {
    let model = try randomLanguageModel()
    let prompt = prompt(9)
    let generator = CodeGenerator(model: model, prompt: prompt, pool: ComputePool())
    #expect(generator.wholeFrames == 9 - 3)
    for _ in 0..<20 { generator.step() }
    #expect(generator.wholeFrames == 9 + 20 - 3)
    let codes = generator.codes(0..<generator.wholeFrames)
    #expect(Array(codes[..<prompt.count]) == prompt)
    #expect(codes.allSatisfy { $0 >= 0 && $0 < Int32(smallConfig.cardinality) })
  }

  @Test("the same seed gives the same codes with any number of threads, another seed others")
  func seeds() throws {
    let model = try randomLanguageModel()
    let codes = try generatedCodes(model, steps: 60)
    #expect(try generatedCodes(model, steps: 60, threads: 2) == codes)
    #expect(try generatedCodes(model, steps: 60, threads: 3) == codes)
    #expect(try generatedCodes(model, steps: 60, seed: 8) != codes)
  }

  @Test("recall brings the theme back over and over; without it the theme changes nothing")
  func recall() throws {
    let model = try randomLanguageModel()
    let K = smallConfig.codebooks
    let prompt = prompt(40)
    let theme = Array(prompt.suffix(7 * K))
    func codes(_ recall: Float, theme: [Int32], rollBack: Bool = false) -> [Int32] {
      let generator = CodeGenerator(
        model: model, prompt: prompt, settings: SamplingSettings(topK: 0, recall: recall, seed: 7),
        theme: theme, plan: WindowPlan(length: 60, context: 20, rate: 3), pool: ComputePool())
      var farthest = 41
      while generator.wholeFrames < 100 {
        generator.step()
        if rollBack, generator.nextStep > farthest + 9 {
          farthest = generator.nextStep
          generator.rollBack(toStep: farthest - 5)
        }
      }
      return generator.codes(40..<100)
    }
    let plain = codes(0, theme: [])
    #expect(codes(0, theme: theme) == plain && codes(3, theme: []) == plain)
    let loop = (0..<60 * K).map { theme[$0 % theme.count] }
    /// How many codes of a book are the loop's.
    func looped(_ codes: [Int32], book: Int) -> Int {
      stride(from: book, to: codes.count, by: K).count { codes[$0] == loop[$0] }
    }
    let all = codes(1000, theme: theme)
    #expect((0..<2).allSatisfy { looped(all, book: $0) == 60 })
    #expect((2..<K).allSatisfy { looped(all, book: $0) < 60 })
    let some = codes(3, theme: theme)
    #expect(looped(some, book: 0) < 60 && looped(some, book: 0) > looped(plain, book: 0))
    #expect(codes(3, theme: theme, rollBack: true) == some)
  }

  @Test("rolling back and generating again gives the same codes, across window changes too")
  func rollBack() throws {
    let model = try randomLanguageModel()
    let expected = try generatedCodes(model, steps: 350, plan: shortWindows)
    var random = TestRandom(seed: 6)
    let generator = CodeGenerator(
      model: model, settings: SamplingSettings(topK: 0, seed: 7), plan: shortWindows,
      pool: ComputePool())
    while generator.nextStep <= 350 {
      let steps = Int.random(in: 1...15, using: &random)
      for _ in 0..<min(steps, 351 - generator.nextStep) { generator.step() }
      let back = Int.random(in: 0...8, using: &random)
      if generator.nextStep <= 350 { generator.rollBack(toStep: max(1, generator.nextStep - back)) }
    }
    #expect(generator.codes(0..<generator.wholeFrames) == expected)
  }

  @Test("a setting changed after rolling back changes the codes from that step on, none before")
  func changeAfterRollBack() throws {
    let model = try randomLanguageModel()
    let generator = CodeGenerator(
      model: model, settings: SamplingSettings(topK: 0, seed: 7), pool: ComputePool())
    for _ in 0..<50 { generator.step() }
    let before = generator.codes(0..<47)
    generator.rollBack(toStep: 30)
    generator.settings.seed = 99
    for _ in 0..<21 { generator.step() }
    let after = generator.codes(0..<47)
    let K = smallConfig.codebooks
    // Step 30 draws codebook k of frame 29 − k.
    for frame in 0..<47 {
      for k in 0..<K where 1 + frame + k < 30 {
        #expect(before[frame * K + k] == after[frame * K + k])
      }
    }
    #expect(before != after)
  }

  @Test("past a window change the codes are those of a fresh start from the kept context")
  func windowChange() throws {
    let model = try randomLanguageModel()
    let plan = shortWindows
    let pool = ComputePool()
    let settings = SamplingSettings(topK: 0, seed: 7)
    let long = CodeGenerator(model: model, settings: settings, plan: plan, pool: pool)
    // The window that runs the pass on position 40 starts at frame 28; step 41 is its first.
    var logits: [Float] = []
    for step in 1...41 {
      long.step { generator in
        if step == 41 { generator.stream.withLogits { values, _ in logits = values.array() } }
      }
    }
    let fresh = LanguageModelStream(config: smallConfig, capacity: 64)
    let workspace = LanguageModelWorkspace(config: smallConfig)
    let known = long.codes(0..<38)
    let K = smallConfig.codebooks
    for position in 28..<39 {
      let tokens = (0..<K).map { k in
        let frame = position - 1 - k
        return frame >= 28 ? known[frame * K + k] : Int32(smallConfig.cardinality)
      }
      fresh.feed(tokens)
      model.step([fresh], workspace: workspace, pool: pool)
    }
    #expect(fresh.length == 11)
    #expect(long.stream.length == 13)
    // The last two positions hold codes that are not whole yet; feed what the generator fed.
    long.stream.truncate(to: 11)
    let last = (0..<K).map { k in 37 - k >= 28 ? known[(37 - k) * K + k] : Int32(32) }
    long.stream.feed(last)
    fresh.feed(last)
    model.step([long.stream], workspace: workspace, pool: pool)
    model.step([fresh], workspace: workspace, pool: pool)
    let (a, b) = (
      long.stream.withLogits { values, _ in values.array() },
      fresh.withLogits { values, _ in values.array() }
    )
    #expect(a == b)
    #expect(!logits.isEmpty)
  }

  @Test("frames from the limit on hold the special token and are never drawn")
  func frameLimit() throws {
    let model = try randomLanguageModel()
    let generator = CodeGenerator(
      model: model, settings: SamplingSettings(temperature: 0), frameLimit: 10, pool: ComputePool())
    for _ in 0..<20 { generator.step() }
    #expect(generator.wholeFrames == 10)
  }

  @Test("forgetting old frames changes nothing that comes")
  func forgetting() throws {
    let model = try randomLanguageModel()
    let expected = try generatedCodes(model, steps: 300, plan: shortWindows)
    let generator = CodeGenerator(
      model: model, settings: SamplingSettings(topK: 0, seed: 7), plan: shortWindows,
      pool: ComputePool())
    for _ in 0..<300 {
      generator.step()
      generator.forget(framesBefore: generator.wholeFrames)
    }
    #expect(generator.firstFrame > 200)
    let K = smallConfig.codebooks
    let rest = generator.codes(generator.firstFrame..<generator.wholeFrames)
    #expect(Array(expected[(generator.firstFrame * K)...]) == rest)
  }

  @Test("generators that share passes make the codes that each makes alone")
  func together() throws {
    let model = try randomLanguageModel()
    let pool = ComputePool()
    func generator(_ seed: UInt64) -> CodeGenerator {
      CodeGenerator(
        model: model, prompt: prompt(4 + Int(seed)),
        settings: SamplingSettings(topK: 0, seed: seed), plan: shortWindows, pool: pool)
    }
    let alone = (1...3).map { seed in
      let generator = generator(UInt64(seed))
      for _ in 0..<90 { generator.step() }
      return generator.codes(generator.firstFrame..<generator.wholeFrames)
    }
    let together = (1...3).map { generator(UInt64($0)) }
    for _ in 0..<90 { CodeGenerator.step(together) }
    for (generator, codes) in zip(together, alone) {
      #expect(generator.codes(generator.firstFrame..<generator.wholeFrames) == codes)
    }
  }
}
