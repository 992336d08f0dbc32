import Audio
import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Building a catalogue")
struct CatalogueBuilderTests {
  private let folder: TemporaryFolder
  private let model: AskedModel

  init() throws {
    folder = try TemporaryFolder()
    model = try AskedModel(folder: fixture("MusicGen/mono/model"))
    try FileManager.default.createDirectory(
      at: folder.file("songs/sub"), withIntermediateDirectories: true)
  }

  private func tone(_ name: String, seconds: Double = 1.2, level: Float = 0.3) throws {
    let rate = 16_000
    let samples = (0..<Int(seconds * Double(rate))).map { level * sin(Float($0) * 0.05) }
    try AudioFile.write(
      AudioClip(rate: rate, channels: [samples]), to: folder.file("songs/" + name))
  }

  private func build() throws -> (
    tracks: Int, refused: [(file: String, reason: String)], steps: [[Int]]
  ) {
    var steps: [[Int]] = []
    let (tracks, refused) = try CatalogueBuilder(model: model, pool: ComputePool()).build(
      folder.file("songs"), name: "Songs", into: folder.file("out")
    ) { steps.append([$0, $1]) }
    return (tracks, refused, steps)
  }

  @Test("every sound below the folder becomes a track with what is said beside it")
  func tracks() throws {
    try tone("one.wav")
    try tone("sub/two.flac", seconds: 2)
    try Data(#"{"title": "First\u0007", "artist": "Ann", "licence": "CC0", "tags": "drums"}"#.utf8)
      .write(to: folder.file("songs/one.json"))
    try Data("words".utf8).write(to: folder.file("songs/notes.txt"))
    let made = try build()
    #expect(made.tracks == 2 && made.refused.isEmpty && made.steps == [[0, 2], [1, 2]])
    let catalogue = try Catalogue(folder: folder.file("out"))
    #expect(catalogue.name == "Songs" && catalogue.kind == .codes)
    #expect(catalogue.stepsPerSecond == model.stepsPerSecond)
    let one = try catalogue.track("one")
    #expect(one.title == "First?" && one.artist == "Ann" && one.licence == "CC0")
    #expect(try catalogue.track("sub/two").title == "two")
    // The same codes as the sound has as a piece.
    let piece = try Piece(
      path: folder.file("songs/sub/two.flac"), model: model, pool: ComputePool())
    let item = try catalogue.item("sub/two")
    guard case .codes(let codes, 4) = item.content, case .codes(let own, 4) = piece.item.content
    else {
      Issue.record("no codes")
      return
    }
    #expect(codes == own && item.mask == piece.item.mask)
  }

  @Test("what cannot be read is named with the reason, and the others are taken")
  func refused() throws {
    try tone("good.wav")
    try tone("short.wav", seconds: 0.2)
    try Data("no sound".utf8).write(to: folder.file("songs/broken.wav"))
    try tone("good.flac")
    let made = try build()
    #expect(made.tracks == 1)
    #expect(made.refused.map(\.file) == ["broken.wav", "good.wav", "short.wav"])
    #expect(made.refused[1].reason.contains("the id good"))
    #expect(made.refused[2].reason.contains("seconds of sound"))
  }

  @Test("silence is written down, so that it need not be believed")
  func silence() throws {
    let rate = 16_000
    let samples = (0..<2 * rate).map { $0 < rate ? 0.3 * sin(Float($0) * 0.05) : 0 }
    try AudioFile.write(
      AudioClip(rate: rate, channels: [samples]), to: folder.file("songs/half.wav"))
    _ = try build()
    let mask = try #require(try Catalogue(folder: folder.file("out")).item("half").mask)
    #expect(mask.first == true && mask.last == false)
    let sounding = Double(mask.count { $0 }) / Double(mask.count)
    #expect(abs(sounding - 0.5) < 0.1)
  }

  @Test("a folder without sound, or with none that can be read, is no catalogue")
  func empty() throws {
    #expect(throws: AttributionError.self) { try build() }
    try Data("no sound".utf8).write(to: folder.file("songs/broken.wav"))
    #expect(throws: AttributionError.self) { try build() }
    #expect(!FileManager.default.fileExists(atPath: folder.file("out").path), "nothing half done")
  }

  @Test("a diffusion model has no codec to build with")
  func diffusion() throws {
    try tone("one.wav")
    let tiny = try TinyDiffusion()
    let other = try AskedModel(folder: tiny.model)
    #expect(throws: AttributionError.self) {
      try CatalogueBuilder(model: other, pool: ComputePool()).build(
        folder.file("songs"), name: "x", into: folder.file("out")
      ) { _, _ in }
    }
  }

  @Test("whoever watches may stop it")
  func stopped() throws {
    struct Stop: Error {}
    try tone("one.wav")
    #expect(throws: Stop.self) {
      try CatalogueBuilder(model: model, pool: ComputePool()).build(
        folder.file("songs"), name: "x", into: folder.file("out")
      ) { _, _ in throw Stop() }
    }
  }
}
