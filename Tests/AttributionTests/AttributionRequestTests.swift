import Foundation
import Testing

@testable import Attribution

@Suite("An attribution's request")
struct AttributionRequestTests {
  private var good: AttributionRequest {
    AttributionRequest(model: "/m", catalogue: "/c", piece: "p", out: "/o")
  }

  private static let wrong: [(String, @Sendable (inout AttributionRequest) -> Void)] = [
    ("--rise", { $0.unlearning.rise = .nan }), ("--rise", { $0.unlearning.rise = 0 }),
    ("--learning-rate", { $0.unlearning.learningRate = -1 }),
    ("--learning-rate", { $0.unlearning.learningRate = .infinity }),
    ("--damping", { $0.unlearning.damping = 0 }), ("--steps", { $0.unlearning.steps = 0 }),
    ("--piece-draws", { $0.pieceDraws = 0 }), ("--track-draws", { $0.trackDraws = 65_537 }),
    ("--window", { $0.windowSeconds = .infinity }), ("--window", { $0.windowSeconds = 0.05 }),
    ("--fisher-tracks", { $0.fisherTracks = 0 }), ("--fisher-draws", { $0.fisherDraws = -1 }),
    ("--against", { $0.against = 7 }), ("--against", { $0.against = -1 }),
    (
      "--first-order",
      {
        $0.against = 0
        $0.unlearning.method = .iterated
      }
    ),
    (
      "--first-order",
      {
        $0.against = 8
        $0.heldOut = "/h"
      }
    ),
    ("--times", { $0.times = [0.4, 0.1] }), ("--times", { $0.times = [0, 1.1] }),
    ("--times", { $0.times = [.nan, 1] }), ("--times", { $0.times = [0.5] }),
    ("--candidates", { $0.candidates = 0 }), ("--memory", { $0.memory = 0 }),
    ("--batch", { $0.batch = 5_000 }), ("--shard", { $0.shard = [4, 3] }),
    ("--shard", { $0.shard = [0, 3] }), ("--shard", { $0.shard = [1] }),
    ("--shard", { $0.shard = [1, 100_001] }), ("--shard", { $0.shard = [1, 2, 3] }),
  ]

  @Test("settings that make no sense are refused by name", arguments: wrong.indices)
  func refusals(index: Int) throws {
    try good.check()
    let (name, spoil) = Self.wrong[index]
    var request = good
    spoil(&request)
    do {
      try request.check()
      Issue.record("\(name) was taken")
    } catch AttributionError.badSetting(let found, _, _) { #expect(found == name) }
  }

  @Test("the description holds what a score depends on, and nothing else")
  func description() {
    func described(_ change: (inout AttributionRequest) -> Void) -> [String: String] {
      var request = good
      change(&request)
      return request.description
    }
    let plain = good.description
    for change: (inout AttributionRequest) -> Void in [
      { $0.batch = 3 }, { $0.threads = 7 }, { $0.shard = [1, 2] }, { $0.out = "/x" },
      { $0.memory = 100 }, { $0.replyPort = 9 }, { $0.compares = false },
      { $0.unlearning.steps = 99 },  // of the iterated method alone
    ] { #expect(described(change) == plain) }
    for change: (inout AttributionRequest) -> Void in [
      { $0.unlearning.rise = 0.5 }, { $0.unlearning.learningRate = 1 }, { $0.trackDraws = 9 },
      { $0.unlearning.layers = .selfAttention }, { $0.masksPiece = false },
      { $0.masksTracks = true },
      { $0.windowSeconds = 3 }, { $0.fisherTracks = 9 }, { $0.fisherDraws = 9 },
      { $0.pieceDraws = 9 }, { $0.unlearning.damping = 2 }, { $0.candidates = 4 },
      { $0.hearsCaptions = true }, { $0.times = [0, 0.5] }, { $0.against = 0 }, { $0.against = 8 },
      { $0.unlearning.method = .iterated },
    ] { #expect(described(change) != plain) }
  }

  @Test("waits in a store as text, and one of an older program is still understood")
  func coding() throws {
    var request = good
    request.shard = [2, 3]
    request.text = "drums"
    let data = try JSONEncoder().encode(request)
    #expect(try JSONDecoder().decode(AttributionRequest.self, from: data) == request)
    // Without the fields that came later.
    var old = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    for field in [
      "embeddings", "hearsCaptions", "text", "memory", "replyPort", "companion", "against",
    ] {
      old[field] = nil
    }
    let read = try JSONDecoder().decode(
      AttributionRequest.self, from: JSONSerialization.data(withJSONObject: old))
    #expect(
      read.text == nil && read.against == nil && read.shard == [2, 3] && read.hearsCaptions == nil)
  }
}
