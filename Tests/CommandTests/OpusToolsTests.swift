import Audio
import Foundation
import Testing

@testable import continuo

@Suite("Opus tools")
struct OpusToolsTests {
  @Test("what comes back is as long, and much like what went in", .enabled(if: OpusTools() != nil))
  func roundTrip() throws {
    let sound = (0..<64_001).map { Float(0.3 * sin(2 * .pi * 300 * Double($0) / 32_000)) }
    let back = try #require(OpusTools()).roundTrip(sound, rate: 32_000)
    #expect(back.count == sound.count)
    #expect(scaleInvariantDistortion(of: back, reference: sound) > 5)
  }

  @Test("without the programs in PATH there is no Opus")
  func missing() {
    #expect(OpusTools(["PATH": "/nonexistent"]) == nil)
  }
}
