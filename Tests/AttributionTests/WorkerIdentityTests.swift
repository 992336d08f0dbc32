import Foundation
import TestSupport
import Testing

@testable import Attribution

@Suite("Worker identity")
struct WorkerIdentityTests {
  @Test("this process lives; so does one of another machine, of which nothing is known")
  func living() {
    let own = WorkerIdentity.make()
    #expect(own != WorkerIdentity.make())
    #expect(!WorkerIdentity.isDead(own))
    #expect(!WorkerIdentity.isDead("elsewhere/pid:[1] 999999999 1 7"))
    #expect(!WorkerIdentity.isDead("old-style-name"))
    #expect(!WorkerIdentity.isDead(""))
  }

  @Test("a process that is gone is dead, and so is one whose number another has now")
  func dead() throws {
    let own = WorkerIdentity.make().split(separator: " ")
    #expect(WorkerIdentity.isDead("\(own[0]) 2147483000 \(own[2]) \(own[3])"))
    #expect(WorkerIdentity.isDead("\(own[0]) \(own[1]) 1 \(own[3])"))
  }

  @Test("a dead worker's job is taken at once, a living one's only when its lease is over")
  func takes() throws {
    let folder = try TemporaryFolder()
    let store = try JobStore(file: folder.file("jobs.sqlite"))
    let own = WorkerIdentity.make()
    let parts = own.split(separator: " ")
    let (first, second) = (try store.add(request: Data()), try store.add(request: Data()))
    #expect(try store.take(owner: "\(parts[0]) 2147483000 1 1")?.id == first)
    #expect(try store.take(owner: own)?.id == first)
    #expect(try store.take(owner: own)?.id == second)
    #expect(try store.take(owner: own) == nil)
  }
}
