import Reporting
import Testing

@Suite("Explanations")
struct ExplainedTests {
  @Test("control and direction characters of strangers never reach the terminal")
  func cleaned() {
    #expect(printable("a\u{1B}[31mb\u{202E}c\n") == "a?[31mb?c?")
  }

  @Test("a long text is cut")
  func cut() { #expect(printable("abcdef", limit: 3) == "abc…") }
}
