import Foundation
import Testing

@testable import continuo

@Suite("Caption words")
struct CaptionWordsTests {
  private let groups = ["drums", "bass", "guitar", "piano", "other"]

  private func track(_ tags: String) throws -> ActivityCatalogue.Track {
    let text = """
      {"id": "a", "tags": "\(tags)", "style": "rock", "key": "c major", "activity": {}}
      """
    return try JSONDecoder().decode(ActivityCatalogue.Track.self, from: Data(text.utf8))
  }

  @Test("a tag names the group that it ends with; what is neither style, tempo nor key is another")
  func groupsOfTags() throws {
    let song = try track("")
    func group(_ tag: String) -> String? { CaptionWords.group(tag, song, groups) }
    #expect(group("rock bass") == "bass" && group("drums") == "drums")
    #expect(group("electric grand piano") == "piano" && group("rock organ") == "other")
    #expect(group("rock") == nil && group("134 bpm") == nil && group("c major") == nil)
  }

  @Test(
    "a caption names the chosen groups in the song's words, or in another's, and keeps the rest")
  func captions() throws {
    let (one, two) = (
      try track("rock, slap bass, drums, 120 bpm"), try track("strings, jazz piano, c major")
    )
    let words = CaptionWords(tracks: [one, two], groups: groups)
    #expect(words.words["piano"] == ["jazz piano"] && words.words["guitar"] == ["guitar"])
    var random = SeededRandom(seed: 1)
    let caption = words.caption(one, naming: ["bass", "piano", "other"], random: &random)
    #expect(
      Set(caption.components(separatedBy: ", "))
        == ["slap bass", "jazz piano", "strings", "rock", "120 bpm"])
  }
}
