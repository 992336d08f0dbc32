import Foundation
import TestSupport
import Testing

@testable import Attribution

@Suite("A whole attribution")
struct AttributionRunTests {
  @Test("ranks the unlearned track and its twin first")
  func twins() throws {
    let tiny = try TinyDiffusion()
    var request = tiny.request(track: 7)
    request.pieceDraws = 64
    request.trackDraws = 64
    let ranking = try tiny.rank(request, store: "a")
    #expect(Set(ranking.tracks.prefix(2).map(\.track.id)) == ["track-7", "track-8"])
    #expect(ranking.checks.ownRank.map { $0 <= 2 } == true)
    #expect(ranking.kind == "attribution")
    #expect(abs((ranking.checks.ownAfter ?? 0) / (ranking.checks.ownBefore ?? 1) - 1.02) < 0.002)
  }

  @Test("shards merged are the whole, bit for bit", arguments: [1, 3, 7])
  func shards(count: Int) throws {
    let tiny = try TinyDiffusion()
    let whole = try tiny.rank(tiny.request(), store: "whole")
    let parts = try (1...count).reversed().map { index in
      var request = tiny.request()
      request.shard = [index, count]
      request.batch = index
      request.threads = 1 + index % 3
      return try tiny.rank(request, store: "part-\(index)")
    }
    let merged = try Ranking.merge(parts)
    #expect(merged.tracks == whole.tracks)
    #expect(merged.checks == whole.checks)
  }

  @Test("stopped at any point and started again it ends with the same scores")
  func resumes() throws {
    struct Stop: Error {}
    let tiny = try TinyDiffusion()
    let whole = try tiny.rank(tiny.request(), store: "whole")
    let store = try tiny.store("stopped")
    var stops = 0
    var ranking: Ranking?
    while ranking == nil && stops < 100 {
      var steps = 0
      let run = AttributionRun(
        tiny.request(), store: store, cache: tiny.folder.file("stopped-cache")
      ) { _ in
        steps += 1
        if steps == 3 + stops { throw Stop() }
      }
      do { ranking = try run.run()[0] } catch is Stop { stops += 1 }
    }
    #expect(stops > 3)
    #expect(ranking?.tracks == whole.tracks)
  }

  @Test("candidates keep the piece, and the others' scores stay the same")
  func candidates() throws {
    let tiny = try TinyDiffusion()
    let whole = try tiny.rank(tiny.request(), store: "whole")
    var request = tiny.request()
    request.candidates = 3
    let few = try tiny.rank(request, store: "few")
    #expect((3...4).contains(few.tracks.count))
    #expect(few.rank(of: "track-0") != nil)
    for entry in few.tracks {
      #expect(whole.tracks.first { $0.track.id == entry.track.id }?.score == entry.score)
    }
  }

  @Test("to first order, against others, it ranks the track and its twin first, and says so")
  func firstOrder() throws {
    let tiny = try TinyDiffusion(tracks: 30)
    var request = tiny.request(track: 28)
    (request.pieceDraws, request.trackDraws) = (32, 32)
    request.against = 12
    let ranking = try tiny.rank(request, store: "a")
    #expect(Set(ranking.tracks.prefix(2).map(\.track.id)) == ["track-28", "track-29"])
    #expect(ranking.method == "unlearning, first order (against the others)")
    #expect(ranking.kind == "attribution" && ranking.question.contains("would be made to forget"))
    #expect(ranking.meaning?.hasPrefix("deviations above what") == true)
    let panel = try #require(ranking.against).map(\.id)
    #expect((11...12).contains(panel.count) && !panel.contains("track-28"))
    #expect(ranking.tracks.allSatisfy { $0.plain != nil && $0.panel == nil && $0.after == nil })
    // The plain scores are those without a panel.
    request.against = 0
    let plain = try tiny.rank(request, store: "b")
    #expect(plain.against == nil && plain.meaning == Ranking.firstOrderMeaning)
    let largest = plain.tracks[0].score
    for entry in plain.tracks {
      let same = try #require(ranking.tracks.first { $0.track.id == entry.track.id }?.plain)
      #expect(abs(same - entry.score) < 1e-6 * largest)
    }
    #expect(ranking.checks.plainRank == plain.checks.ownRank)
  }

  @Test(
    "every track of the panel but the piece itself judges it; too small a catalogue judges nobody")
  func panel() throws {
    let tiny = try TinyDiffusion()
    for (track, count) in [(0, 9), (5, 9), (5, 8)] {
      var request = tiny.request(track: track)
      request.against = count
      let ranking = try tiny.rank(request, store: "\(track)-\(count)")
      let panel = (ranking.against ?? []).map(\.id)
      #expect(!panel.contains("track-\(track)"))
      if count == 9 {
        #expect(panel.count == 8)
      } else if panel.isEmpty {
        #expect(ranking.meaning?.contains("too few other songs") == true)
        #expect(ranking.method == "unlearning, first order")
      }
    }
  }

  @Test("to first order, shards merged are the whole, bit for bit", arguments: [3, 7])
  func firstOrderShards(count: Int) throws {
    let tiny = try TinyDiffusion(tracks: 20)
    var request = tiny.request(track: 3)
    request.against = 10
    let whole = try tiny.rank(request, store: "whole")
    let parts = try (1...count).reversed().map { index in
      var part = request
      part.shard = [index, count]
      part.threads = 1 + index % 3
      let found = try tiny.rank(part, store: "part-\(index)")
      #expect(found.tracks.allSatisfy { $0.panel?.count == found.against?.count })
      #expect(found.meaning?.hasSuffix("when the parts are merged") == true)
      return found
    }
    let merged = try Ranking.merge(parts)
    #expect(merged.tracks == whole.tracks && merged.checks == whole.checks)
    // Other batches differ in the last bits alone.
    request.batch = 16
    let other = try tiny.rank(request, store: "other")
    let largest = whole.tracks[0].score
    for entry in whole.tracks {
      let same = try #require(other.tracks.first { $0.track.id == entry.track.id }?.score)
      #expect(abs(same - entry.score) < 1e-5 * largest)
    }
  }

  @Test("to first order, stopped at any point and started again it ends with the same scores")
  func firstOrderResumes() throws {
    struct Stop: Error {}
    let tiny = try TinyDiffusion(tracks: 12)
    var request = tiny.request()
    request.against = 9
    let whole = try tiny.rank(request, store: "whole")
    let store = try tiny.store("stopped")
    var (stops, ranking) = (0, Ranking?.none)
    while ranking == nil && stops < 100 {
      var steps = 0
      var last = 0.0
      let run = AttributionRun(request, store: store, cache: tiny.folder.file("stopped-cache")) {
        #expect($0.share >= last - 1e-9 && $0.share <= 1)
        last = $0.share
        steps += 1
        if steps == 3 + 2 * stops { throw Stop() }
      }
      do { ranking = try run.run()[0] } catch is Stop { stops += 1 }
    }
    #expect(stops > 3)
    #expect(ranking?.tracks == whole.tracks)
  }

  @Test("a worker runs what waits, keeps the report, and keeps the reason of a failure")
  func worker() throws {
    let tiny = try TinyDiffusion()
    let store = try tiny.store("jobs")
    let good = try store.add(request: try JSONEncoder().encode(tiny.request(out: "good")))
    var wrong = tiny.request(out: "bad")
    wrong.piece = "nobody"
    let bad = try store.add(request: try JSONEncoder().encode(wrong))
    var told: [Double] = []
    let worker = JobWorker(
      store: store, cache: tiny.folder.file("cache"), owner: "test", shouldStop: { false },
      note: { _, progress in told.append(progress.share) })
    #expect(try worker.runOne()?.state == .done)
    #expect(try worker.runOne()?.state == .failed)
    #expect(try worker.runOne() == nil)
    #expect(try store.job(bad)?.message.contains("nobody") == true)
    #expect(try store.job(good)?.result == tiny.folder.file("good").path)
    #expect(!told.isEmpty && told.allSatisfy { (0...1).contains($0) })
    let page = try String(
      contentsOf: tiny.folder.file("good/report.html"), encoding: .utf8)
    #expect(page.contains("Track &lt;0&gt;") && !page.contains("<0>"))
    #expect(page.contains("was made to forget one of its training tracks"))
    #expect(!page.contains("http://") || page.contains("http://www.w3.org/2000/svg"))
    let csv = try String(contentsOf: tiny.folder.file("good/ranking.csv"), encoding: .utf8)
    #expect(csv.contains("\"'=A & B\""))
  }

  @Test("a stopped worker gives its job back")
  func stopping() throws {
    let tiny = try TinyDiffusion()
    let store = try tiny.store("jobs")
    let id = try store.add(request: try JSONEncoder().encode(tiny.request()))
    let worker = JobWorker(
      store: store, cache: tiny.folder.file("cache"), owner: "test", shouldStop: { true },
      note: { _, _ in })
    _ = try worker.runOne()
    #expect(try store.job(id)?.state == .waiting)
  }
}
