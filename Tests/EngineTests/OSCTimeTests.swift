import Testing

@testable import Engine

@Suite struct OSCTimeTests {
  @Test func tagsAndSecondsAgree() {
    #expect(OSCTime.tag(seconds: 0) == 2_208_988_800 << 32)
    for seconds in [0.5, 1_700_000_000.25, 1_900_000_000.875] {
      #expect(abs(OSCTime.seconds(tag: OSCTime.tag(seconds: seconds)) - seconds) < 1e-6)
    }
    #expect(OSCTime.now() > 1_700_000_000)
  }
}
