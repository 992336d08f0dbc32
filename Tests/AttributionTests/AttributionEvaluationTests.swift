import Foundation
import TestSupport
import Testing

@testable import Attribution

@Suite("The study of attributions")
struct AttributionEvaluationTests {
  @Test("tells R per setting and where every method ranks planted twins, as text, JSON and a page")
  func study() throws {
    let tiny = try TinyDiffusion()
    var base = tiny.request()
    base.pieceDraws = 32
    base.trackDraws = 32
    let study = try AttributionEvaluation(
      base, store: try tiny.store("study.sqlite"), cache: tiny.folder.file("cache")
    ) { _, _ in }
    let grid = [LayerChoice.allTransformer, .selfAttention].map {
      EvaluationSetting(layers: $0, masksPiece: true, masksTracks: false, rise: 0.02)
    }
    let result = try study.run(grid: grid, queries: 3, relatives: 4, twins: 3, pieces: [])
    #expect(result.grid.count == 2 && result.grid.allSatisfy { $0.queries == 3 })
    #expect(result.grid[0].meanRank < 3)
    for row in result.grid {
      #expect(row.ranks.count == 3)
      #expect(abs(Double(row.ranks.reduce(0, +)) - 3 * row.meanRank) < 1e-9)
    }
    let twins = try #require(
      result.relatives.first { $0.method == "unlearning" && $0.kind == "twin" })
    // The network is random and learnt no track: only similarity has a right answer here.
    #expect(twins.queries == 3 && (1...11).contains(twins.medianRank))
    let codec = try #require(
      result.relatives.first { $0.method == "codec similarity" && $0.kind == "twin" })
    #expect(codec.medianRank <= 2)
    #expect(result.correlations.count == 3)
    #expect(result.correlations.allSatisfy { $0.queries == 3 && abs($0.mean) <= 1 })

    let out = tiny.folder.file("study")
    try result.write(to: out, curves: [])
    let page = try String(
      contentsOf: out.appendingPathComponent("evaluation.html"), encoding: .utf8)
    #expect(page.contains("Spearman") && page.contains("all-transformer"))
    let read = try JSONDecoder().decode(
      EvaluationResult.self, from: Data(contentsOf: out.appendingPathComponent("evaluation.json")))
    #expect(read == result)
    #expect(result.text.contains("| target layers |"))
  }

  @Test("as many tracks stand for the catalogue as are asked for, none twice")
  func clusters() {
    let features = (0..<30).map { [Float($0 % 5), Float($0 / 5)] }
    for count in [0, 1, 7, 30, 40] {
      let chosen = representatives(of: features, count: count)
      #expect(chosen.count == min(count, 30) && Set(chosen).count == chosen.count)
    }
  }

  @Test("a twin has the music of its track and draws of its own; an unknown track is refused")
  func twins() throws {
    let tiny = try TinyDiffusion()
    let catalogue = try Catalogue(folder: tiny.catalogue)
    let planted = try catalogue.planting(twinsOf: ["track-3"])
    #expect(planted.tracks.count == catalogue.tracks.count + 1)
    #expect(try planted.track("track-3 (twin)").relativeOf == "track-3")
    let (one, other) = (try planted.item("track-3"), try planted.item("track-3 (twin)"))
    guard case .latent(let a, _, _, _, _) = one.content,
      case .latent(let b, _, _, _, _) = other.content
    else {
      Issue.record("no latents")
      return
    }
    #expect(a == b && one.id != other.id)
    #expect(try planted.fingerprint() != catalogue.fingerprint())
    #expect(throws: AttributionError.self) { try catalogue.planting(twinsOf: ["nobody"]) }
  }
}
