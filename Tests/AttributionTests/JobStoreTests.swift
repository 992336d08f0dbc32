import Foundation
import TestSupport
import Testing

@testable import Attribution

@Suite("Job store")
struct JobStoreTests {
  private func store(_ folder: TemporaryFolder) throws -> JobStore {
    try JobStore(file: folder.file("jobs.sqlite"))
  }

  @Test("gives every job to one worker, oldest first")
  func takes() throws {
    let folder = try TemporaryFolder()
    let (first, second) = (try store(folder), try store(folder))
    let a = try first.add(request: Data("a".utf8))
    let b = try first.add(request: Data("b".utf8))
    #expect(try second.take(owner: "two")?.id == a)
    #expect(try first.take(owner: "one")?.id == b)
    #expect(try first.take(owner: "one") == nil)
  }

  @Test("a silent worker's job goes to another, and the first one hears of it")
  func leases() throws {
    let folder = try TemporaryFolder()
    let store = try store(folder)
    let id = try store.add(request: Data())
    let start = Date()
    _ = try store.take(owner: "dead", now: start)
    #expect(try store.take(owner: "alive", now: start.addingTimeInterval(30)) == nil)
    try store.renew(
      id, owner: "dead", progress: 0.5, message: "x", secondsLeft: 3,
      now: start.addingTimeInterval(40))
    #expect(try store.take(owner: "alive", now: start.addingTimeInterval(80)) == nil)
    let taken = try store.take(owner: "alive", now: start.addingTimeInterval(101))
    #expect(taken?.id == id && taken?.progress == 0.5)
    #expect(throws: AttributionError.cancelled) {
      try store.renew(id, owner: "dead", progress: 0.6, message: "x", secondsLeft: nil)
    }
    try store.finish(id, owner: "dead", state: .done, message: "done", result: "/x")
    #expect(try store.job(id)?.state == .running)
    try store.finish(id, owner: "alive", state: .done, message: "done", result: "/x")
    #expect(try store.job(id)?.result == "/x")
  }

  @Test("a cancelled job stops its worker; an unknown one is an error")
  func cancels() throws {
    let folder = try TemporaryFolder()
    let store = try store(folder)
    let id = try store.add(request: Data())
    _ = try store.take(owner: "one")
    try store.cancel(id)
    #expect(throws: AttributionError.cancelled) {
      try store.renew(id, owner: "one", progress: 0, message: "", secondsLeft: nil)
    }
    #expect(throws: AttributionError.noJob(id: 77)) { try store.cancel(77) }
  }

  @Test("a job whose workers end at the same place three times is given up, with the reason")
  func attempts() throws {
    let folder = try TemporaryFolder()
    let store = try store(folder)
    let (bad, good) = (try store.add(request: Data()), try store.add(request: Data()))
    var now = Date()
    for attempt in 1...3 {
      #expect(try store.giveUp(now: now) == nil)
      let job = try store.take(owner: "\(attempt)", now: now)
      #expect(job?.id == bad && job?.attempts == attempt)
      now += 61
    }
    let lost = try #require(try store.giveUp(now: now))
    #expect(lost.id == bad && lost.state == .failed && lost.owner == nil)
    #expect(lost.message.contains("given up: its worker ended without a word 3 times at 0 %"))
    #expect(try store.giveUp(now: now) == nil)
    #expect(try store.take(owner: "4", now: now)?.id == good)
  }

  @Test("who gets further is not given up, nor who is stopped in order")
  func progress() throws {
    let folder = try TemporaryFolder()
    let store = try store(folder)
    let id = try store.add(request: Data())
    var now = Date()
    for attempt in 1...9 {
      #expect(try store.giveUp(now: now) == nil)
      #expect(try store.take(owner: "\(attempt)", now: now)?.attempts == 1)
      try store.renew(
        id, owner: "\(attempt)", progress: 0.1 * Double(attempt), message: "x", secondsLeft: nil,
        now: now)
      now += 61
    }
    // From here on it dies where it was.
    #expect(try store.take(owner: "a", now: now)?.attempts == 1)
    try store.giveBack(id, owner: "a")
    for attempt in 1...3 {
      #expect(try store.take(owner: "b", now: now)?.attempts == attempt)
      now += 61
    }
    #expect(try store.giveUp(after: 4, now: now) == nil)
    #expect(try store.giveUp(now: now)?.message.contains("at 90 % (x)") == true)
  }

  @Test("a store of version 1 keeps its jobs and losses, and counts from now on")
  func migration() throws {
    let folder = try TemporaryFolder()
    let file = folder.file("jobs.sqlite")
    try FileManager.default.copyItem(at: fixture("attribution/jobs_version_1.sqlite"), to: file)
    let (store, other) = (try JobStore(file: file), try JobStore(file: file))
    let jobs = try store.jobs()
    #expect(jobs.map(\.state) == [.done, .waiting, .running, .failed])
    #expect(jobs.allSatisfy { $0.attempts == 0 } && jobs[0].result == "/out")
    #expect(try other.losses("base") == ["a": 0.5, "b": -1.25])
    #expect(try other.take(owner: "x")?.attempts == 1)
    #expect(try store.faults().isEmpty)
    let again = try JobStore(file: file)
    #expect(try again.job(2)?.attempts == 1)
  }

  @Test("losses are kept under their key, to the last bit")
  func losses() throws {
    let folder = try TemporaryFolder()
    try store(folder).add([(track: "a", value: 0.1), (track: "b", value: .pi)], key: "k")
    #expect(try store(folder).losses("k") == ["a": 0.1, "b": .pi])
    #expect(try store(folder).losses("other").isEmpty)
    #expect(try store(folder).faults().isEmpty)
  }

  @Test("a store of a newer program is refused, one that is no database too")
  func newer() throws {
    let folder = try TemporaryFolder()
    let file = folder.file("jobs.sqlite")
    _ = try JobStore(file: file)
    var bytes = try Data(contentsOf: file)
    // SQLite's user version: four bytes, big-endian, at place 60 of the header.
    bytes[63] = 9
    let other = folder.file("newer.sqlite")
    try bytes.write(to: other)
    #expect(throws: AttributionError.newerStore(file: other.path, version: 9)) {
      try JobStore(file: other)
    }
    let rubbish = folder.file("rubbish.sqlite")
    try Data(repeating: 65, count: 5000).write(to: rubbish)
    #expect(throws: AttributionError.self) { try JobStore(file: rubbish) }
  }
}
