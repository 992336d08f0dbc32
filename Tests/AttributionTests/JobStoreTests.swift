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
