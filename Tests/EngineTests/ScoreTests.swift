import Foundation
import Testing

@testable import Engine

@Suite struct ScoreTests {
  private let entries = [
    ScoreEntry(step: 11, message: OSCMessage("/knob/1/strength", [.float(0.5)])),
    ScoreEntry(step: 11, message: OSCMessage("/knob/2/direction", [.string("a/b")])),
    ScoreEntry(step: 511, message: OSCMessage("/sampling/seed", [.int(7)])),
  ]

  @Test func entriesSurviveTheWayThroughBytes() throws {
    #expect(try Score.decode(Score.encode(entries), path: "x") == entries)
    #expect(try Score.decode(Data(), path: "x") == [])
  }

  @Test func theFormIsThatOfScsynth() {
    let data = [UInt8](Score.encode(entries))
    let length = data[0..<4].reduce(0) { $0 << 8 | Int($1) }
    #expect(String(decoding: data[4..<11], as: UTF8.self) == "#bundle")
    // 11 steps are 0.22 s: seconds 0, and a fraction.
    #expect(data[12..<16].allSatisfy { $0 == 0 })
    #expect(data[16] == UInt8(0.22 * 256))
    #expect(data.count > length + 4, "a second bundle follows")
  }

  @Test func brokenScoresAreRefusedAtEveryCut() {
    let data = Score.encode(entries)
    for cut in 1..<data.count {
      let part = data.prefix(cut)
      do {
        let some = try Score.decode(Data(part), path: "x")
        // A cut between two bundles is a shorter score.
        #expect(some == Array(entries[..<2]))
      } catch {
        #expect(error is ScoreError)
      }
    }
  }
}
