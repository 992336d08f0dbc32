import Foundation
import TestSupport
import Testing

@testable import continuo

@Suite("Recogniser")
struct RecogniserTests {
  /// What PyTorch heard; see Fixtures/Recogniser/make_recogniser.py.
  private struct Heard: Decodable {
    var seconds: Int
    var logits: [[Float]]
    var embeddings: [[Float]]
  }

  @Test("it hears what the reference implementation hears")
  func reference() throws {
    let folder = fixture("Recogniser")
    let heard = try JSONDecoder().decode(
      Heard.self, from: Data(contentsOf: folder.appendingPathComponent("heard.json")))
    let sound = (0..<32_000 * heard.seconds).map { index -> Float in
      let time = Double(index) / 32_000
      let sweep = 0.3 * sin(2 * .pi * (200 + 300 * time) * time)
      return Float(sweep + (time > 1.5 ? 0.1 * sin(2 * .pi * 3000 * time) : 0))
    }
    let hearing = try Recogniser(folder: folder).hear(sound)
    #expect(hearing.logits.count == heard.seconds)
    for (found, expected) in [
      (hearing.logits, heard.logits), (hearing.embeddings, heard.embeddings),
    ] {
      let largest = expected.flatMap { $0 }.map(abs).max() ?? 1
      for (a, b) in zip(found.flatMap { $0 }, expected.flatMap { $0 }) {
        #expect(abs(a - b) <= 1e-4 * largest)
      }
    }
  }

  @Test("sound shorter than a second, than a frame, and none, is not judged and does no harm")
  func short() throws {
    let recogniser = try Recogniser(folder: fixture("Recogniser"))
    for count in [0, 1, 639, 640, 2000, 31_000] {
      #expect(recogniser.hear([Float](repeating: 0.1, count: count)).logits.isEmpty)
    }
  }

  @Test("a description of the first version, which looks at frames alone, is read too")
  func firstVersion() throws {
    let folder = try TemporaryFolder()
    let (note, weights) = ("recogniser.json", "recogniser.safetensors")
    try FileManager.default.copyItem(
      at: fixture("Recogniser").appendingPathComponent(weights), to: folder.file(weights))
    var table = try #require(
      JSONSerialization.jsonObject(
        with: Data(contentsOf: fixture("Recogniser").appendingPathComponent(note)))
        as? [String: Any])
    table["planes"] = nil
    try JSONSerialization.data(withJSONObject: table).write(to: folder.file(note))
    let sound = (0..<64_000).map { Float(sin(Double($0) * 0.05)) }
    let (old, new) = (
      try Recogniser(folder: folder.url).hear(sound),
      try Recogniser(folder: fixture("Recogniser")).hear(sound)
    )
    #expect(old.logits.count == 2 && old.embeddings[0].count == new.embeddings[0].count)
    #expect(old.logits != new.logits && old.logits.joined().allSatisfy(\.isFinite))
  }

  @Test("a network whose layers do not fit together is refused")
  func misfit() throws {
    let folder = try TemporaryFolder()
    for name in ["recogniser.json", "recogniser.safetensors"] {
      try FileManager.default.copyItem(
        at: fixture("Recogniser").appendingPathComponent(name), to: folder.file(name))
    }
    let file = folder.file("recogniser.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    _ = try Recogniser(folder: folder.url)
    for (part, other) in [
      ("\"input\": 8", "\"input\": 9"), ("\"dilation\": 1", "\"dilation\": 0"),
      ("\"window\": 256", "\"window\": 255"), ("\"hop\": 640", "\"hop\": 0"),
    ] {
      #expect(text.contains(part))
      try Data(text.replacing(part, with: other).utf8).write(to: file)
      #expect(throws: RecogniserError.self) { try Recogniser(folder: folder.url) }
    }
  }

  @Test("a folder without a recogniser is refused")
  func missing() {
    #expect(throws: RecogniserError.self) { try Recogniser(folder: fixture("Presets")) }
  }
}
