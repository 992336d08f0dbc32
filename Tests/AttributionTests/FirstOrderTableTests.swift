import Foundation
import TestSupport
import Testing

@testable import Attribution

@Suite("Scores to first order of a whole study")
struct FirstOrderTableTests {
  @Test("little memory takes more passes and gives the same; a second study reads what was kept")
  func passes() throws {
    let tiny = try TinyDiffusion()
    let settings = (1...20).map {
      EvaluationSetting(
        layers: .allTransformer, masksPiece: true, masksTracks: true, rise: 0.01,
        damping: 0.1 * Double($0))
    }
    let asks = (0..<9).flatMap { track in
      settings.map {
        FirstOrderTable.Ask(piece: TinyDiffusion.id(track), isTrack: true, setting: $0)
      }
    }
    var found: [[String: Double]] = []
    for (memory, cache) in [(nil, "a"), (8, "b"), (8, "b")] {
      var request = tiny.request()
      request.memory = memory
      let table = FirstOrderTable(request, cache: tiny.folder.file(cache))
      var messages: Set<String> = []
      try table.fill(asks, try AttributionContext(request)) {
        messages.insert(String($0.prefix { $0 != ":" }))
      }
      let passes = messages.filter { $0.hasPrefix("first order") }
      switch found.count {
      case 0: #expect(passes == ["first order, pass 1 of 1"])
      case 1: #expect(passes.count > 1, "\(passes)")
      default: #expect(messages.isEmpty, "\(messages)")
      }
      found.append(try #require(table.scores(of: "track-4", settings[7])))
    }
    #expect(found[1] == found[2])
    let largest = found[0].values.map { abs($0) }.max() ?? 0
    for (id, score) in found[0] { #expect(abs(score - (found[1][id] ?? 0)) < 1e-5 * largest) }
  }

  @Test("scores grow with the rise that is asked for; what nobody asked for has none")
  func scale() throws {
    let tiny = try TinyDiffusion()
    var setting = EvaluationSetting(
      layers: .selfAttention, masksPiece: false, masksTracks: false, rise: 0.01)
    let request = tiny.request()
    let table = FirstOrderTable(request, cache: tiny.folder.file("cache"))
    try table.fill(
      [.init(piece: "track-1", isTrack: true, setting: setting)], try AttributionContext(request)
    ) { _ in }
    let scores = try #require(table.scores(of: "track-1", setting))
    #expect(scores.count == 9)
    setting.rise = 0.02
    let twice = try #require(table.scores(of: "track-1", setting))
    for (id, score) in scores { #expect(abs((twice[id] ?? 0) - 2 * score) <= 1e-12 * abs(score)) }
    setting.damping = 7
    #expect(table.scores(of: "track-1", setting) == nil)
    setting.damping = 0.1
    setting.layers = .allTransformer
    #expect(
      table.scores(of: "track-1", setting) == nil && table.scores(of: "track-2", setting) == nil)
  }

  @Test("nothing asked, nothing done")
  func nothing() throws {
    let tiny = try TinyDiffusion()
    let table = FirstOrderTable(tiny.request(), cache: tiny.folder.file("cache"))
    try table.fill([], try AttributionContext(tiny.request())) { _ in
      Issue.record("something was done")
    }
  }

  @Test("whoever watches may stop it, and kept scores that are broken are computed again")
  func stopped() throws {
    struct Stop: Error {}
    let tiny = try TinyDiffusion()
    let (request, cache) = (tiny.request(), tiny.folder.file("cache"))
    let setting = EvaluationSetting(
      layers: .allTransformer, masksPiece: true, masksTracks: false, rise: 0.01)
    func scores(_ report: @escaping (String) throws -> Void = { _ in }) throws -> [String: Double]?
    {
      let table = FirstOrderTable(request, cache: cache)
      try table.fill(
        [.init(piece: "track-1", isTrack: true, setting: setting)], try AttributionContext(request),
        report: report)
      return table.scores(of: "track-1", setting)
    }
    #expect(throws: Stop.self) { try scores { _ in throw Stop() } }
    let first = try scores()
    let kept = try #require(
      try FileManager.default.contentsOfDirectory(atPath: cache.path)
        .first { $0.hasSuffix(".scores.safetensors") })
    try Data("broken".utf8).write(to: cache.appendingPathComponent(kept))
    #expect(try scores() == first && first?.count == 9)
  }
}
