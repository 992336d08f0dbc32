import Foundation
import TestSupport
import Testing

@testable import Attribution

/// continuo-worker killed without warning, again and again: 8 times, in a soak 200 times.
@Suite("Kills of the worker (Soak)", .serialized)
struct StoreSoakTests {
  @Test(
    "after every kill the database is whole, and the scores at the end are those of a quiet run")
  func kills() throws {
    let isLong = ProcessInfo.processInfo.environment["CONTINUO_SOAK_PART"] == "store"
    let wanted = isLong ? 200 : 8
    let tiny = try TinyDiffusion(tracks: 40)
    let wholes = try (0...1).map {
      try tiny.rank(request(tiny, $0, "quiet-\($0)"), store: "quiet-\($0).sqlite")
    }
    let file = tiny.folder.file("jobs.sqlite")
    var random = TestRandom(seed: 11)
    var kills = 0
    var job = 0
    var finished: [Int64] = []
    while kills < wanted {
      let store = try JobStore(file: file)
      if try !store.jobs().contains(where: { $0.state == .waiting || $0.state == .running }) {
        // Two at first, so that both kinds are met.
        for _ in 0..<(job == 0 ? 2 : 1) {
          let made = request(tiny, job % 39, "out-\(job)")
          finished.append(try store.add(request: try JSONEncoder().encode(made)))
          job += 1
        }
      }
      let process = try worker(tiny, store: file)
      usleep(UInt32.random(in: 20_000...400_000, using: &random))
      if process.isRunning {
        kill(process.processIdentifier, SIGKILL)
        kills += 1
      }
      process.waitUntilExit()
      #expect(try JobStore(file: file).faults().isEmpty, "after kill \(kills)")
    }
    let last = try worker(tiny, store: file)
    last.waitUntilExit()
    #expect(last.terminationStatus == 0)
    let store = try JobStore(file: file)
    for id in finished { #expect(try store.job(id)?.state == .done) }
    for (index, whole) in wholes.enumerated() {
      #expect(try Ranking(folder: tiny.folder.file("out-\(index)")).tracks == whole.tracks)
    }
  }

  private func request(_ tiny: TinyDiffusion, _ track: Int, _ out: String) -> AttributionRequest {
    var request = tiny.request(track: track, out: out)
    request.batch = 1
    // By unlearning itself and to first order in turn.
    if track % 2 == 1 { request.against = Contrast.fewest }
    return request
  }

  private func worker(_ tiny: TinyDiffusion, store: URL) throws -> Process {
    let process = Process()
    process.executableURL = builtProducts.appendingPathComponent("continuo-worker")
    process.arguments = [
      "--once", "--store", store.path, "--cache", tiny.folder.file("cache").path, "--osc-port", "0",
      // It is the test that kills, and often before anything has begun: no reason to give a job up.
      "--attempts", "1000000",
    ]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    return process
  }
}
