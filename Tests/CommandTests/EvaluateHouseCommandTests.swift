import Audio
import Foundation
import TestSupport
import Testing

@testable import continuo

@Suite("continuo evaluate house")
struct EvaluateHouseCommandTests {
  let folder: TemporaryFolder
  private let model: String
  private let environment: [String: String]

  init() throws {
    folder = try TemporaryFolder()
    environment = ["XDG_CACHE_HOME": folder.file("cache").path]
    model = try SmallCatalogue.model(in: folder.file("model"))
    try SmallCatalogue.write(to: folder.file("test"), split: "test", count: 3, frames: 600)
    try SmallCatalogue.write(
      to: folder.file("train"), split: "train", count: 4, frames: 600, seed: 2)
  }

  private func run(_ arguments: String...) throws -> ProgramResult {
    try runProgram(
      "continuo",
      [
        "evaluate", "house", "--model", model, "--recogniser", fixture("Recogniser").path,
        "--seconds", "2", "--prompt-seconds", "2",
      ] + arguments, environment: environment, in: folder.url)
  }

  @Test("a part that keeps nothing writes its report all the same")
  func distanceAlone() throws {
    let result = try run("--catalogue", "test", "--part", "distance", "--out", "new/folder")
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      FileManager.default.fileExists(atPath: folder.file("new/folder/report.json").path))
  }

  @Test("every part is measured, kept, and told as text, JSON and a page with spectrograms")
  func everything() throws {
    let result = try run(
      "--catalogue", "test", "--learn-from", "train", "--out", "out", "--report", "page.html",
      "--json")
    #expect(result.status == 0, "\(result.errors)")
    let page = try JSONDecoder().decode(EvaluationPage.self, from: Data(result.output.utf8))
    #expect(page.tables.count == 5)
    let continuation = try #require(page.tables.first)
    #expect(continuation.rows.map(\.name).count == 4)
    // A song's own continuation and the model's differ; the text, the losses and the heads are all figures.
    for table in page.tables {
      #expect(table.rows.allSatisfy { $0.values.count == table.columns.count })
    }
    #expect(page.tables[1].rows.map(\.name) == SmallCatalogue.groups)
    #expect(page.tables[2].rows.count == 2)
    let loss = try #require(page.tables[2].rows[0].values[4])
    #expect(abs(loss - log(16.0)) < 1)
    #expect(page.tables[3].rows.count == 5 && page.tables[3].rows[0].values[4] ?? 0 >= 4)
    let html = try String(contentsOf: folder.file("page.html"), encoding: .utf8)
    #expect(html.contains("<svg") && !html.contains("<script"))
    for name in ["report.txt", "report.json", "report.html"] {
      #expect(FileManager.default.fileExists(atPath: folder.file("out/\(name)").path))
    }

    // What is finished is read back; what is missing is made again and the same.
    let cells = folder.file("out/cells")
    let names = try FileManager.default.contentsOfDirectory(atPath: cells.path)
    #expect(names.count == 3)
    let first = try #require(names.first { $0.hasPrefix("continuation") })
    try FileManager.default.removeItem(at: cells.appendingPathComponent(first))
    let again = try run(
      "--catalogue", "test", "--learn-from", "train", "--out", "out", "--json")
    #expect(again.output == result.output)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: cells.path).sorted() == names.sorted())
  }

  @Test("clips of both kinds of model are measured against songs, beside the songs' other half")
  func distance() throws {
    try SmallDiffusion.write(to: folder.file("dit"))
    let result = try runProgram(
      "continuo",
      "evaluate house --part distance --songs 4 --seconds 2 --prompt-seconds 4 --diffusion ./dit --json"
        .split(separator: " ").map(String.init), in: folder.url)
    #expect(result.status == 0, "\(result.errors)")
    let page = try JSONDecoder().decode(EvaluationPage.self, from: Data(result.output.utf8))
    let rows = try #require(page.tables.first).rows
    #expect(rows.count == 3 && rows[0].values[1] == 10 && rows[2].values[1] == 20)
    // A diffusion model of random weights is further away than songs are from each other.
    let distances = rows.compactMap { $0.values[0] }
    #expect(distances.count == 3 && distances[2] > distances[0] && distances[0] > 0)
  }

  @Test("sound files are continued too; without a catalogue nobody knows what sounds in them")
  func audio() throws {
    try FileManager.default.createDirectory(
      at: folder.file("songs"), withIntermediateDirectories: true)
    for song in 0..<2 {
      let samples = (0..<32_000 * 5).map {
        Float(0.3 * sin(2 * .pi * Double(220 * (song + 1)) * Double($0) / 32_000))
      }
      try AudioFile.write(
        AudioClip(rate: 32_000, channels: [samples]), to: folder.file("songs/\(song).wav"))
    }
    let result = try run("--audio", "songs")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("2 prompts") && result.output.contains("Text was left out"))
    let short = try run("--audio", "songs", "--seconds", "60")
    #expect(short.status == 65 && short.errors.contains("only 0 songs"), "\(short.errors)")
    #expect(try run("--audio", "songs", "--catalogue", "test").status == 64)
    #expect(try run("--songs", "1").status == 64)
  }
}
