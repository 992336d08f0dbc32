import Foundation
import Kernels
import Models
import TestSupport
import Testing

@Suite("Next code reader")
struct NextCodeReaderTests {
  @Test("the mean over the books is the loss that training computes, in blocks or not")
  func loss() throws {
    let model = try randomLanguageModel(spread: 2)
    let pool = ComputePool(threads: 2)
    var random = TestRandom(seed: 8)
    // 150 frames: more than two blocks.
    let codes = (0..<150 * 4).map { _ in Int32(random.next() % 32) }
    let loss = NextCodeReader(model: model, pool: pool).loss(of: codes)
    #expect(loss.count == 150 && loss.sums.count == 4)
    let entries = randomDecoder(smallConfig, seed: 1, spread: 2)
    let folder = try TemporaryFolder()
    try SafetensorsWriter.write(entries, to: folder.file("model.safetensors"))
    let whole = LanguageModelLoss(config: smallConfig)
    let parameters = try Parameters(
      layout: whole.layout, from: TensorStore(file: folder.file("model.safetensors")),
      prefix: LanguageModelLoss.prefix)
    let byBook = (0..<4).flatMap { book in (0..<150).map { codes[$0 * 4 + book] } }
    let expected = whole.loss(
      of: .init(codes: byBook, frames: 150), parameters, whole.makeWorkspace(frames: 150))
    let mean = loss.means.reduce(0, +) / 4
    #expect(abs(mean - expected) < 1e-4 * expected)
  }

  @Test("the likeliest codes are those of greedy generation, fed back")
  func choices() throws {
    let model = try randomLanguageModel(spread: 3)
    let pool = ComputePool(threads: 1)
    let generator = CodeGenerator(
      model: model, settings: SamplingSettings(temperature: 0), frameLimit: 80, pool: pool)
    while generator.wholeFrames < 80 { generator.step() }
    let codes = generator.codes(0..<80)
    let reader = NextCodeReader(model: model, pool: pool)
    #expect(reader.choices(of: codes) == codes)
    #expect(reader.choices(of: []).isEmpty)
    #expect(reader.loss(of: []).count == 0)
  }
}
