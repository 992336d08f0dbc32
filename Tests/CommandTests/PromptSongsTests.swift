import Foundation
import TestSupport
import Testing

@testable import continuo

@Suite("Prompts for evaluations")
struct PromptSongsTests {
  private let songs: PromptSongs

  init() throws {
    let folder = try TemporaryFolder()
    // Drums sound in the first third of each song, bass, guitar and piano in the second, others in the second and third.
    try SmallCatalogue.write(to: folder.file("test"), split: "test", count: 8, frames: 300)
    songs = PromptSongs(
      catalogues: [try ActivityCatalogue(named: folder.file("test").path)], codebooks: 4,
      frames: 50)
  }

  @Test("captions name what sounds in the window, in the song's words, with and without the target")
  func captions() throws {
    func words(_ caption: String) -> Set<String> { Set(caption.components(separatedBy: ", ")) }
    let rest: Set = ["rock", "120 bpm", "c major"]
    for prompt in try songs.prompts(
      targets: ["drums"], present: false, isValidation: false, count: 6)
    {
      let without = words(prompt.caption.without)
      #expect(!without.contains("drums") && without.isSuperset(of: rest.union(["strings"])))
      #expect(words(prompt.caption.with) == without.union(["drums"]))
    }
    let alone = try songs.prompts(targets: ["drums"], present: true, isValidation: false, count: 1)
    #expect(words(alone[0].caption.without) == rest)
    #expect(words(alone[0].caption.with) == rest.union(["drums"]))
  }

  @Test("more prompts begin with those of fewer, with the same captions")
  func more() throws {
    func prompts(_ count: Int) throws -> [PromptSongs.Prompt] {
      try songs.prompts(targets: ["bass"], present: false, isValidation: false, count: count)
    }
    let (few, many) = (try prompts(3), try prompts(12))
    #expect(few.map(\.codes) == many.prefix(3).map(\.codes))
    #expect(few.map(\.caption.with) == many.prefix(3).map(\.caption.with))
    // Two windows of each of six songs.
    #expect(Set(many.map(\.track)).count == 6)
  }
}
