import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Engine

@Suite struct TakeTests {
  private static let bundle = TakeBundle(
    id: "test", version: "1.0.0", sha256: String(repeating: "a", count: 64))

  /// A performance with turned knobs, and its take in a folder.
  private func record(_ folder: URL) throws -> (codes: [Int32], instrument: Instrument) {
    let instrument = try tinyInstrument()
    var start = PerformanceStart()
    start.prompt = tinyPrompt(instrument, frames: 20)
    start.controls = [MusicControl(.seed, 5)]
    start.directions = [
      3: (DirectionSource("test/trait", power: 2, monitors: 4), tinyDirection(instrument))
    ]
    let performance = Performance(instrument: instrument, start: start, pool: ComputePool())
    for turn in 0..<6 {
      for _ in 0..<25 { performance.step() }
      performance.rollBack(toStep: performance.nextStep - 5)
      performance.apply(MusicControl(.strength, slot: 3, Double(turn % 3) - 1))
    }
    for _ in 0..<30 { performance.step() }
    let codes = performance.codes.codes(0..<performance.codes.wholeFrames)
    let material = TakeMaterial(
      name: "t", codes: codes, promptFrames: 20, promptSound: [Float](repeating: 0.1, count: 12800),
      score: performance.score, loudness: nil, plan: WindowPlan())
    try Take(
      material: material, instrument: instrument, modelName: "tiny",
      bundles: [TakeBundle(id: "unused", version: "2.0.0", sha256: nil), Self.bundle]
    ).write(to: folder)
    return (codes, instrument)
  }

  @Test(arguments: [1, 2]) func aTakeGivesTheSameCodesAgain(threads: Int) throws {
    let folder = try TemporaryFolder()
    let place = folder.file("take")
    let (codes, instrument) = try record(place)
    let take = try RecordedTake(folder: place)
    #expect(take.description.promptFrames == 20 && take.description.bundles == [Self.bundle])
    let sameCodes = take.codes == codes
    #expect(sameCodes)
    let again = try take.replay(on: instrument, pool: ComputePool(threads: threads)) {
      source, slot in
      #expect(slot == 3 && source == DirectionSource("test/trait", power: 2, monitors: 4))
      return tinyDirection(instrument)
    }
    let same = again == codes
    #expect(same)
    let without = try take.replay(on: instrument, pool: ComputePool()) { _, _ in nil }
    let differs = without != codes
    #expect(differs, "the knob did something")
  }

  @Test func aTakeIsWrittenOnceAndWhole() throws {
    let folder = try TemporaryFolder()
    let place = folder.file("take")
    _ = try record(place)
    let names = try FileManager.default.contentsOfDirectory(atPath: place.path).sorted()
    #expect(
      names == ["audio.flac", "codes.safetensors", "prompt.flac", "score.osc", "take.json"])
    #expect(throws: TakeError.self) { try record(place) }
    let around = try FileManager.default.contentsOfDirectory(
      atPath: place.deletingLastPathComponent().path)
    #expect(around == ["take"])
  }

  @Test func bundlesOfOlderTakesHaveNoHash() throws {
    let folder = try TemporaryFolder()
    let place = folder.file("take")
    _ = try record(place)
    let file = place.appendingPathComponent("take.json")
    var json = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    json["bundles"] = ["org.example.drums@1.2.0"]
    try JSONSerialization.data(withJSONObject: json).write(to: file)
    #expect(
      try RecordedTake(folder: place).description.bundles
        == [TakeBundle(id: "org.example.drums", version: "1.2.0", sha256: nil)])
  }

  @Test func otherFoldersAreNoTakes() throws {
    let folder = try TemporaryFolder()
    #expect(throws: TakeError.self) { try RecordedTake(folder: folder.file("nothing")) }
    let place = folder.file("take")
    _ = try record(place)
    try Data("{}".utf8).write(to: place.appendingPathComponent("take.json"))
    #expect(throws: TakeError.self) { try RecordedTake(folder: place) }
  }
}
