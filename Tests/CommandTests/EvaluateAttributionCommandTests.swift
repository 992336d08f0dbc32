import Foundation
import HouseModel
import Models
import TestSupport
import Testing

@Suite("continuo evaluate attribution")
struct EvaluateAttributionCommandTests {
  let folder: TemporaryFolder
  private let model: String

  init() throws {
    folder = try TemporaryFolder()
    model = try SmallCatalogue.model(in: folder.file("model"))
    try SmallCatalogue.write(to: folder.file("train"), split: "train", count: 6, frames: 300)
    try SmallCatalogue.write(
      to: folder.file("test"), split: "test", count: 3, frames: 300, seed: 2)
  }

  private func run(_ arguments: String) throws -> ProgramResult {
    try runProgram(
      "continuo",
      [
        "evaluate", "attribution", "--model", model, "--catalogue", "train", "--held-out", "test",
        "--recogniser", fixture("Recogniser").path, "--queries", "2", "--window", "1",
        "--piece-draws", "4", "--fisher-tracks", "4", "--rises", "0.0002", "--store", "jobs.sqlite",
        "--cache", "cache", "--out", "out",
      ] + arguments.split(separator: " ").map(String.init), in: folder.url)
  }

  private func table() throws -> [String: Any] {
    let data = try Data(contentsOf: folder.file("out/evaluation.json"))
    return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  @Test("unlearned networks make music whose distance stands in the table; absent layers are told")
  func quality() throws {
    let result = try run("--quality-clips 3")
    #expect(result.status == 0, "\(result.errors)")
    let found = try table()
    let before = try #require(found["quality"] as? Double)
    let rows = try #require(found["grid"] as? [[String: Any]])
    #expect(
      rows.count == 2 && found["absent"] as? [String] == ["cross-attention-kv", "cross-attention"])
    for row in rows {
      let after = try #require(row["quality"] as? Double)
      #expect(before.isFinite && before > 0 && after.isFinite && after > 0)
      #expect(try #require(row["stepNorm"] as? Double) > 0)
    }
    #expect(result.output.contains("FD is") && result.output.contains("no tensors for"))
  }

  @Test(
    "to first order all dampings and masks are scored, twins too; what contradicts it is refused")
  func firstOrder() throws {
    let result = try run("--first-order --captions --dampings 0.1,1 --masks --twins 2")
    #expect(result.status == 0, "\(result.errors)")
    let rows = try #require(try table()["grid"] as? [[String: Any]])
    #expect(rows.count == 4 * 2 * 4)
    #expect(result.output.contains("unlearning, first order (cross-attention, damping 1.0, M_U)"))
    let clash = try run("--first-order --quality-clips 4")
    #expect(clash.status == 64 && clash.errors.contains("--quality-clips"))
    let bad = try run("--dampings 0")
    #expect(bad.status == 64 && bad.errors.contains("--dampings"))
  }

  @Test(
    "a diffusion model hears the codes and tags of the house catalogue, is judged, and asked about a clip"
  )
  func diffusion() throws {
    try SmallDiffusion.write(to: folder.file("dit"))
    try shorten(HouseModel.resources.appendingPathComponent("catalogue"), to: "few", tracks: 5)
    let common = "--window 2 --fisher-tracks 3 --store jobs.sqlite --cache cache"
    let study = try runProgram(
      "continuo",
      "evaluate attribution --model ./dit --catalogue few --queries 2 --relatives 0 --masks --layers cross-attention-kv --rises 0.001 --quality-clips 2 --out out \(common) --piece-draws 4"
        .split(separator: " ").map(String.init), in: folder.url)
    #expect(study.status == 0, "\(study.errors)")
    let rows = try #require(try table()["grid"] as? [[String: Any]])
    #expect(rows.count == 4 && rows.allSatisfy { $0["quality"] is Double })
    let clip = try runProgram(
      "continuo",
      "render --model ./dit --text drums --seconds 3 --steps 3 --seed 1 --out clip.wav"
        .split(separator: " ").map(String.init), in: folder.url)
    #expect(clip.status == 0, "\(clip.errors)")
    for (text, name) in [("drums", "a"), ("slow piano", "b")] {
      let asked = try runProgram(
        "continuo",
        ["attribute", "clip.wav", "--model", "./dit", "--catalogue", "few", "--text", text]
          + "--out \(name) --piece-draws 2 \(common)".split(separator: " ").map(String.init),
        in: folder.url)
      #expect(asked.status == 0, "\(asked.errors)")
    }
    let scores = try ["a", "b"].map {
      try String(contentsOf: folder.file("\($0)/ranking.csv"), encoding: .utf8)
    }
    #expect(scores[0] != scores[1])
    let page = try String(contentsOf: folder.file("a/ranking.json"), encoding: .utf8)
    #expect(page.contains("0.1 to 0.5"), "the times that were measured on networks of this kind")
    #expect(page.contains("unlearning, first order") && page.contains("too few other songs"))
    let exact = try runProgram(
      "continuo",
      ["attribute", "clip.wav", "--model", "./dit", "--catalogue", "few", "--no-first-order"]
        + "--out d --piece-draws 2 \(common)".split(separator: " ").map(String.init),
      in: folder.url)
    #expect(exact.status == 0 && exact.output.contains("rise of the track’s loss\n"))
    for wrong in ["half", "0.5", "0.5-0.1", "0-2", "0.1-0.2-0.3"] {
      let bad = try runProgram(
        "continuo",
        ["attribute", "clip.wav", "--model", "./dit", "--catalogue", "few", "--out", "c"]
          + ["--times", wrong], in: folder.url)
      #expect(bad.status != 0 && bad.errors.contains("--times"), "\(wrong): \(bad.errors)")
    }
  }

  /// The first tracks of a catalogue of codes.
  private func shorten(_ source: URL, to name: String, tracks: Int) throws {
    let place = folder.file(name)
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    let data = try Data(contentsOf: source.appendingPathComponent("catalogue.json"))
    var head = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    let kept = Array(try #require(head["tracks"] as? [[String: Any]]).prefix(tracks))
    head["tracks"] = kept
    try JSONSerialization.data(withJSONObject: head).write(
      to: place.appendingPathComponent("catalogue.json"))
    let codes = try TensorStore(file: source.appendingPathComponent("codes.safetensors"))
    try SafetensorsWriter.write(
      try kept.map { track in
        let tensor = try codes.tensor(try #require(track["id"] as? String))
        return .init(name: tensor.name, shape: tensor.shape, integers: try tensor.integers())
      }, to: place.appendingPathComponent("codes.safetensors"))
  }
}
