import Testing

@testable import Engine

@Suite struct OSCPatternTests {
  @Test(arguments: [
    ("/knob/*/strength", "/knob/3/strength", true),
    ("/knob/*/strength", "/knob/3/4/strength", false),
    ("/knob/[1-3]/alpha", "/knob/2/alpha", true),
    ("/knob/[1-3]/alpha", "/knob/4/alpha", false),
    ("/knob/[!1-3]/alpha", "/knob/4/alpha", true),
    ("/knob/{1,12}/alpha", "/knob/12/alpha", true),
    ("/knob/{1,12}/alpha", "/knob/2/alpha", false),
    ("/knob/?/alpha", "/knob/7/alpha", true),
    ("/knob/?/alpha", "/knob//alpha", false),
    ("/*a*a*a", "/banana", true),
    ("/knob", "/knob/1", false),
  ])
  func patternsMatchWholeAddresses(pattern: String, address: String, matches: Bool) throws {
    #expect(try #require(OSCPattern(pattern)).matches(address) == matches)
  }

  @Test(arguments: [
    ("/knob/1", "/knob/1/strength", true),
    ("/knob/1", "/knob/12/strength", false),
    ("/*", "/knob/1/strength", true),
    ("/engine/*", "/engine/rtf", true),
    ("/engine/*", "/knob/1/strength", false),
  ])
  func subscriptionsCoverWhatLiesUnderThem(pattern: String, address: String, covers: Bool) throws {
    #expect(try #require(OSCPattern(pattern)).covers(address) == covers)
  }

  @Test func openBracketsAreRefused() {
    #expect(OSCPattern("/knob/[1-") == nil)
    #expect(OSCPattern("/knob/{a,b") == nil)
  }

  @Test func manyStarsCostNoTime() throws {
    let pattern = try #require(OSCPattern(String(repeating: "*a", count: 100) + "b"))
    #expect(!pattern.matches(String(repeating: "a", count: 256)))
  }
}
