import Foundation
import Models
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
      try table.fill(asks, try AttributionContext(request)) { message, share in
        messages.insert(String(message.prefix { $0 != ":" }))
        #expect((0...1).contains(share))
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
    ) { _, _ in }
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

  @Test("against the others every piece is judged by all that were asked the same, but itself")
  func contrasts() throws {
    let tiny = try TinyDiffusion(tracks: 12)
    let setting = EvaluationSetting(
      layers: .allTransformer, masksPiece: true, masksTracks: false, rise: 0.01)
    let table = FirstOrderTable(tiny.request(), cache: tiny.folder.file("cache"))
    func fill(_ tracks: Range<Int>) throws {
      try table.fill(
        tracks.map { .init(piece: TinyDiffusion.id($0), isTrack: true, setting: setting) },
        try AttributionContext(tiny.request())
      ) { _, _ in }
    }
    try fill(0..<Contrast.fewest)
    #expect(table.contrasts(of: "track-1", setting) == nil, "too few others to tell what is usual")
    try fill(Contrast.fewest..<12)
    var other = setting
    other.damping = 3
    #expect(table.contrasts(of: "track-1", other) == nil)
    let ids = (0..<12).map(TinyDiffusion.id)
    func row(_ id: String) throws -> Contrast.Row {
      let scores = try #require(table.scores(of: id, setting))
      return Contrast.Row(song: id, scores: ids.compactMap { scores[$0] })
    }
    let found = try #require(table.contrasts(of: "track-5", setting))
    let others = try ids.filter { $0 != "track-5" }.sorted().map(row)
    let wanted = Contrast.deviations(of: try row("track-5"), above: others, songs: ids)
    for (id, score) in zip(ids, wanted) { #expect(abs((found[id] ?? 99) - score) < 1e-9) }
  }

  @Test("of a part of the tracks it gives the scores that the whole gives, bit for bit")
  func parts() throws {
    let tiny = try TinyDiffusion()
    let (request, context) = (tiny.request(), try AttributionContext(tiny.request()))
    let setting = EvaluationSetting(
      layers: .allTransformer, masksPiece: true, masksTracks: false, rise: 0.01)
    let asks = ["track-1", "track-5"].map {
      FirstOrderTable.Ask(piece: $0, isTrack: true, setting: setting)
    }
    func scores(_ ids: [String]?) throws -> [String: Double] {
      let table = FirstOrderTable(request, cache: tiny.folder.file("cache"), largestBatch: 4)
      try table.fill(asks, context, on: ids) { _, _ in }
      return try #require(table.scores(of: "track-5", setting))
    }
    let whole = try scores(nil)
    for ids in [["track-7"], ["track-0", "track-3", "track-6"], ["track-8", "track-2"]] {
      let part = try scores(ids)
      #expect(part == whole.filter { ids.contains($0.key) })
    }
  }

  @Test("nothing asked, nothing done")
  func nothing() throws {
    let tiny = try TinyDiffusion()
    let table = FirstOrderTable(tiny.request(), cache: tiny.folder.file("cache"))
    try table.fill([], try AttributionContext(tiny.request())) { _, _ in
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
    func scores(_ report: @escaping (String, Double) throws -> Void = { _, _ in }) throws
      -> [String: Double]?
    {
      let table = FirstOrderTable(request, cache: cache)
      try table.fill(
        [.init(piece: "track-1", isTrack: true, setting: setting)], try AttributionContext(request),
        report: report)
      return table.scores(of: "track-1", setting)
    }
    #expect(throws: Stop.self) { try scores { _, _ in throw Stop() } }
    let first = try scores()
    let kept = try #require(
      try FileManager.default.contentsOfDirectory(atPath: cache.path)
        .first { $0.hasSuffix(".scores.safetensors") })
    try Data("broken".utf8).write(to: cache.appendingPathComponent(kept))
    #expect(try scores() == first && first?.count == 9)
  }

  @Test(
    "a pass that was stopped goes on where it was and ends with the same bits", arguments: 1...8)
  func goesOn(batches: Int) throws {
    struct Stop: Error {}
    let tiny = try TinyDiffusion()
    let request = tiny.request()
    let setting = EvaluationSetting(
      layers: .allTransformer, masksPiece: true, masksTracks: false, rise: 0.01)
    let asks = ["track-1", "track-5"].map {
      FirstOrderTable.Ask(piece: $0, isTrack: true, setting: setting)
    }
    func scores(_ cache: String, _ report: (String, Double) throws -> Void) throws -> [[String:
      Double]?]
    {
      let table = FirstOrderTable(request, cache: tiny.folder.file(cache), largestBatch: 1)
      try table.fill(asks, try AttributionContext(request), report: report)
      return asks.map { table.scores(of: $0.piece, setting) }
    }
    let whole = try scores("whole") { _, _ in }
    var steps = 0
    #expect(throws: Stop.self) {
      try scores("stopped") { message, _ in
        // Two reports are those of the pieces.
        steps += message.hasPrefix("first order") ? 1 : 0
        if steps == 2 + batches { throw Stop() }
      }
    }
    func partial() throws -> URL? {
      try FileManager.default.contentsOfDirectory(atPath: tiny.folder.file("stopped").path)
        .first { $0.hasSuffix(".partial.safetensors") }.map {
          tiny.folder.file("stopped").appendingPathComponent($0)
        }
    }
    let kept = try #require(try partial())
    #expect(try SafetensorsFile(url: kept).tensors["scores"]?.shape == [2, 1, batches])
    steps = 0
    #expect(
      try scores("stopped") { message, _ in steps += message.hasPrefix("first order") ? 1 : 0 }
        == whole)
    #expect(steps == 2 + 9 - batches, "no track is scored twice")
    #expect(try partial() == nil)
  }

  @Test("the program killed within a pass, again and again, ends with the same scores")
  func kills() throws {
    let tiny = try TinyDiffusion(tracks: 200)
    let quiet = try study(tiny, "quiet")
    quiet.waitUntilExit()
    #expect(quiet.terminationStatus == 0)
    let cache = tiny.folder.file("killed-cache")
    var kills = 0
    for _ in 0..<4 {
      let process = try study(tiny, "killed")
      let before = partial(in: cache)
      while process.isRunning && partial(in: cache) == before { usleep(1000) }
      if process.isRunning {
        kill(process.processIdentifier, SIGKILL)
        kills += 1
      }
      process.waitUntilExit()
    }
    #expect(kills > 0)
    let last = try study(tiny, "killed")
    last.waitUntilExit()
    #expect(last.terminationStatus == 0)
    // Neither scores of a part nor what a killed process was writing are left.
    let files = try FileManager.default.contentsOfDirectory(atPath: cache.path)
    #expect(files.allSatisfy { !$0.contains(".partial") }, "\(files)")
    func scores(_ folder: String) throws -> Data {
      let folder = tiny.folder.file(folder)
      let file = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        .first { $0.hasSuffix(".scores.safetensors") }
      return try Data(contentsOf: folder.appendingPathComponent(try #require(file)))
    }
    #expect(try scores("killed-cache") == scores("quiet-cache"))
  }

  /// When the scores of an unfinished pass were last kept.
  private func partial(in cache: URL) -> Date? {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: cache.path)) ?? []
    // Not the hidden files that are just being written; the Fisher information is too quick here to leave one.
    return files.first { !$0.hasPrefix(".") && $0.hasSuffix(".partial.safetensors") }.flatMap {
      let file = cache.appendingPathComponent($0)
      return try? file.resourceValues(forKeys: [.contentModificationDateKey])
        .contentModificationDate
    }
  }

  private func study(_ tiny: TinyDiffusion, _ name: String) throws -> Process {
    let process = Process()
    process.executableURL = builtProducts.appendingPathComponent("continuo")
    process.arguments = [
      "evaluate", "attribution", "--first-order", "--model", tiny.model.path, "--catalogue",
      tiny.catalogue.path, "--out", tiny.folder.file(name).path, "--queries", "2", "--relatives",
      "0", "--layers", "all-transformer", "--rises", "0.01", "--window", "1", "--piece-draws", "2",
      "--track-draws", "40", "--fisher-tracks", "2", "--threads", "1", "--store",
      tiny.folder.file(name + ".sqlite").path, "--cache", tiny.folder.file(name + "-cache").path,
    ]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return process
  }
}
