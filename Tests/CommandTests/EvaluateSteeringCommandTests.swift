import Engine
import Foundation
import Models
import TestSupport
import Testing

@testable import continuo

@Suite("continuo evaluate steering")
struct EvaluateSteeringCommandTests {
  let folder: TemporaryFolder
  private let model: String

  init() throws {
    folder = try TemporaryFolder()
    model = try SmallCatalogue.model(in: folder.file("model"))
    try SmallCatalogue.write(to: folder.file("test"), split: "test", count: 8, frames: 300)
    try SmallCatalogue.write(
      to: folder.file("train"), split: "train", count: 8, frames: 300, seed: 2)
    try SmallCatalogue.bundle(["drums", "bass", "guitar", "recorded"]).write(
      to: folder.file("knobs"))
  }

  private func run(_ suites: [String], _ more: String...) throws -> ProgramResult {
    try runProgram(
      "continuo",
      [
        "evaluate", "steering", "--model", model, "--recogniser", fixture("Recogniser").path,
        "--catalogue", "test", "--learn-from", "train", "--bundle", "knobs", "--trait", "drums",
        "--trait", "bass", "--trait", "guitar", "--clips", "2", "--validation-clips", "2",
        "--seconds", "1", "--prompt-seconds", "1", "--dose", "5/5", "--dose", "20/1",
        "--listen", "1", "--drift-seconds", "1", "--drift-clips", "1", "--out", "out", "--json",
      ] + suites.flatMap { ["--suite", $0] } + more,
      environment: ["XDG_CACHE_HOME": folder.file("cache").path], in: folder.url)
  }

  private struct Report: Decodable {
    struct Row: Decodable { var name: String }
    struct Table: Decodable {
      var title: String
      var note: String
      var rows: [Row]
    }
    struct Dose: Decodable {
      var alpha: Float
      var direction: String
    }
    var tables: [Table]
    var dose: Dose
  }

  @Test("weights of other formats are other cells")
  func weights() throws {
    for more in [["--weights", "f32"], ["--weights", "int8"]] {
      let result = try run(["continuation"], more[0], more[1], "--row", "none")
      #expect(result.status == 0, "\(result.errors)")
    }
    let cells = try FileManager.default.contentsOfDirectory(atPath: folder.file("out/cells").path)
    #expect(cells.count { $0.hasPrefix("continuation-none-drums") && $0.hasSuffix(".json") } == 2)
  }

  @Test("every row of the paper's tables is there, and finished cells are read back")
  func rows() throws {
    let suites = EvaluationSuite.allCases.map(\.rawValue)
    let result = try run(suites)
    #expect(result.status == 0, "\(result.errors)")
    let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    // Doses that are heard bring a second table of doses.
    #expect(report.tables.count { !$0.title.hasPrefix("Taking out") } == suites.count)
    func names(_ title: String) -> [String] {
      report.tables.first { $0.title.hasPrefix(title) }?.rows.map(\.name) ?? []
    }
    #expect(names("Dose").starts(with: ["none", "smitin α 5 s 5", "smitin α 20 s 1"]))
    #expect(try Dose.named(in: folder.file("out"))?.alpha == report.dose.alpha)
    let continuation = names("Continuation")
    for start in [
      "none", "text “add X”", "text “X”", "text own", "text own + X", "iti α 15", "iti-decay",
      "smitin α 5 s 5", "smitin α 10 s 5",
    ] {
      #expect(continuation.contains { $0.hasPrefix(start) }, "\(start)")
    }
    #expect(continuation.contains { $0.hasPrefix("smitin") && $0.hasSuffix("text own + X") })
    #expect(continuation.suffix(2) == ["songs without X", "songs with X"])
    let removal = names("Removal")
    #expect(removal.first == "none" && removal.last == "songs without X")
    #expect(
      removal.contains("text “no X”")
        && removal.contains { $0.hasSuffix("hard weights, 4 of 4 heads") })
    #expect(removal.contains("text own, without X"))
    #expect(names("Several").count == 4)
    let variations = names("Ablation")
    for start in ["as chosen", "hard weights", "the other direction", "update rule decay"] {
      #expect(variations.contains { $0.hasPrefix(start) }, "\(start)")
    }
    // Eight songs give fewer than a hundred pairs, and the table says so.
    #expect(names("Pairs") == ["10 pairs", "all pairs"])
    #expect(
      report.tables.contains { $0.note.contains("fewer than 100 pairs of some trait") })
    #expect(names("Text to music").starts(with: ["own", "own + X"]))
    let recorded = names("“Recorded”")
    #expect(
      Set(recorded).isSuperset(of: ["none", "smitin α 1 s 5", "smitin α 5 s 5", "smitin α 10 s 5"]))
    #expect(names("Drift of the gain over 1 s") == ["update rule reset", "update rule decay"])

    let cells = try FileManager.default.contentsOfDirectory(atPath: folder.file("out/cells").path)
    let clips = try FileManager.default.contentsOfDirectory(
      atPath: folder.file("out/listening").path)
    // Three traits have a reference, which is nothing to listen to.
    #expect(clips.count == cells.count / 2 - 3 && clips.allSatisfy { $0.hasSuffix("-1.flac") })
    for picture in ["continuation-presence", "continuation-distance", "removal-presence"] {
      let drawing = try String(contentsOf: folder.file("out/\(picture).svg"), encoding: .utf8)
      #expect(drawing.hasPrefix("<svg") && drawing.contains("smitin"), "\(picture)")
    }
    let again = try run(suites)
    #expect(again.output == result.output)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.file("out/cells").path).count
        == cells.count)
  }

  @Test("single rows are made by name, more clips add to what is there, and bundles name the dose")
  func rowsByName() throws {
    let some = try run(
      ["continuation", "removal"], "--row", "none", "--row", "chosen", "--report", "some")
    #expect(some.status == 0, "\(some.errors)")
    let report = try JSONDecoder().decode(Report.self, from: Data(some.output.utf8))
    // The bundle says nothing else, so it is the paper's dose.
    #expect(report.tables[0].rows.map(\.name) == ["none", "smitin α 5 s 5"])
    #expect(report.tables[1].rows.map(\.name) == ["none", "smitin −α 5 s 5"])
    #expect(report.dose.alpha == 5 && report.dose.direction == "probe")
    for end in ["txt", "md", "html", "json"] {
      #expect(FileManager.default.fileExists(atPath: folder.file("out/some.\(end)").path))
    }
    func cells() throws -> Set<String> {
      Set(try FileManager.default.contentsOfDirectory(atPath: folder.file("out/cells").path))
    }
    let first = try cells()
    let other = try run(
      ["continuation"], "--row", "chosen", "--chosen", "2/1/mean-difference", "--clips", "18")
    #expect(other.status == 0, "\(other.errors)")
    let added = try cells().subtracting(first)
    // 1-16 and 17-18 of three traits, two files each.
    #expect(added.count == 12 && added.allSatisfy { $0.contains("mean-difference") })
    let more = try run(["continuation"], "--row", "chosen", "--clips", "4")
    #expect(more.status == 0)
    for bad in [["--chosen", "2/1/up"], ["--report", "../x"], ["--dose", "1"]] {
      #expect(try run(["continuation"], bad[0], bad[1]).status == 64)
    }
  }
}
