import Foundation
import TestSupport
import Testing

@testable import continuo

@Suite("Test songs")
struct TestSongsTests {
  @Test("held-out songs that are long enough come, cut, as many as wanted")
  func catalogue() throws {
    let folder = try TemporaryFolder()
    try SmallCatalogue.write(to: folder.file("test"), split: "test", count: 5, frames: 80)
    let catalogue = try ActivityCatalogue(folder.file("test"))
    let songs = try TestSongs.of([catalogue], codebooks: 4, frames: 60, count: 3)
    #expect(songs.map(\.id) == ["test-0", "test-1", "test-2"])
    #expect(songs.allSatisfy { $0.codes.count == 240 && $0.track != nil })
    #expect(try TestSongs.of([catalogue], codebooks: 4, frames: 81, count: 3).isEmpty)
    #expect(throws: ProbeMaterialError.self) {
      try TestSongs.check(Array(songs.prefix(1)), seconds: 1)
    }
  }
}
