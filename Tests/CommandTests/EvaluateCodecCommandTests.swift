import Audio
import Foundation
import TestSupport
import Testing

@testable import continuo

@Suite("continuo evaluate codec")
struct EvaluateCodecCommandTests {
  let folder: TemporaryFolder
  private let environment: [String: String]

  init() throws {
    folder = try TemporaryFolder()
    environment = ["XDG_CACHE_HOME": folder.file("cache").path]
    try SmallCatalogue.write(to: folder.file("test"), split: "test", count: 2, frames: 600)
    try SmallCatalogue.write(
      to: folder.file("train"), split: "train", count: 4, frames: 600, seed: 2)
    try FileManager.default.createDirectory(
      at: folder.file("songs"), withIntermediateDirectories: true)
    var random = TestRandom(seed: 6)
    for song in 0..<2 {
      let samples = (0..<32_000 * 12).map { index in
        Float(0.3 * sin(2 * .pi * Double(220 * (song + 1)) * Double(index) / 32_000))
          + 0.05 * random.uniform()
      }
      try AudioFile.write(
        AudioClip(rate: 32_000, channels: [samples]), to: folder.file("songs/test-\(song).wav"))
    }
  }

  private func run(_ arguments: String...) throws -> ProgramResult {
    try runProgram(
      "continuo",
      [
        "evaluate", "codec", "--model", fixture("MusicGen/mono/model").path, "--audio", "songs",
        "--seconds", "12",
      ] + arguments, environment: environment, in: folder.url)
  }

  @Test("distortion, perplexity and presence are measured and kept")
  func everything() throws {
    let result = try run(
      "--catalogue", "test", "--learn-from", "train", "--out", "out", "--json")
    #expect(result.status == 0, "\(result.errors)")
    let page = try JSONDecoder().decode(EvaluationPage.self, from: Data(result.output.utf8))
    #expect(page.tables.count == 4)
    // Twelve seconds of two songs, each group either sounding or silent.
    let recognised = page.tables[2]
    #expect(recognised.rows.map(\.name) == SmallCatalogue.groups)
    #expect(recognised.rows.allSatisfy { $0.values[2] == 24 && ($0.values[0] ?? 2) <= 1 })
    let likeness = page.tables[0]
    #expect(likeness.rows.count == (OpusTools() == nil ? 2 : 3))
    #expect(likeness.columns.count == 7 && likeness.title.contains("8 windows"))
    for value in page.tables[1].rows[0].values { #expect((1...16).contains(value ?? 0)) }
    #expect(page.tables[3].rows.map(\.name) == SmallCatalogue.groups)
    #expect(page.tables[3].rows.allSatisfy { (0...1).contains($0.values[0] ?? -1) })
    #expect(
      try run("--catalogue", "test", "--learn-from", "train", "--out", "out", "--json").output
        == result.output)
    let html = try String(contentsOf: folder.file("out/report.html"), encoding: .utf8)
    #expect(html.contains("through the codec") && html.contains("<svg"))
  }

  @Test("stems say by themselves when each group sounds")
  func stems() throws {
    for song in 0..<2 {
      let place = folder.file("tracks/song\(song)")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      // Drums in the first half, bass always.
      for (name, end) in [("drums", 6), ("bass", 12)] {
        let samples = (0..<32_000 * 12).map { index in
          index < 32_000 * end ? Float(0.3 * sin(Double(index * (song + 1)) / 30)) : 0
        }
        try AudioFile.write(
          AudioClip(rate: 32_000, channels: [samples]),
          to: place.appendingPathComponent("\(name).wav"))
      }
    }
    let result = try runProgram(
      "continuo",
      [
        "evaluate", "codec", "--model", fixture("MusicGen/mono/model").path, "--audio", "tracks",
        "--stems", "--catalogue", "test", "--learn-from", "train", "--no-opus", "--seconds", "12",
        "--json",
      ], environment: environment, in: folder.url)
    #expect(result.status == 0, "\(result.errors)")
    let page = try JSONDecoder().decode(EvaluationPage.self, from: Data(result.output.utf8))
    // Figures while drums and bass sound; guitars never do.
    let row = page.tables[0].rows[0].values
    #expect(row[2] != nil && row[3] != nil && row[4] == nil)
    #expect(page.tables[3].rows[0].values[2] == 8)
  }

  @Test("files that no catalogue knows are measured without groups; Opus can be left out")
  func plain() throws {
    try FileManager.default.moveItem(at: folder.file("songs"), to: folder.file("other"))
    let result = try runProgram(
      "continuo",
      [
        "evaluate", "codec", "--model", fixture("MusicGen/mono/model").path, "--audio", "other",
        "--catalogue", "train", "--no-opus", "--songs", "1",
      ], environment: environment, in: folder.url)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("No catalogue knows them") && result.output.contains("Opus was"))
    #expect(try run("--seconds", "1").status == 64)
  }
}
