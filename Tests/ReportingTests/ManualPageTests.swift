import Testing

@testable import Reporting

@Suite("Manual page")
struct ManualPageTests {
  private func body(_ change: (inout ManualPage) -> Void) -> String {
    var page = ManualPage(name: "a-b", section: 1, version: "1.0", abstract: "does it")
    let head = page.source
    change(&page)
    return String(page.source.dropFirst(head.count))
  }

  @Test("begins with title and name")
  func head() {
    let page = ManualPage(name: "a-b", section: 7, version: "1.0", abstract: "does — it")
    #expect(page.source.hasPrefix(#".TH "A\-B" "7" "" "Continuo 1.0" "Continuo""#))
    #expect(page.source.hasSuffix(".SH NAME\na\\-b \\- does \\[u2014] it\n"))
  }

  @Test("nothing in a text is taken for a command or for another character")
  func escapes() {
    #expect(body { $0.text(".SH no") } == "\\&.SH no\n")
    #expect(body { $0.text("'quoted' \\n ~ ^") } == "\\&\\(aqquoted\\(aq \\en \\(ti \\(ha\n")
    #expect(body { $0.text("half-tone --out") } == "half-tone \\-\\-out\n")
    #expect(body { $0.item("--out", "<a-b>", means: "x") } == ".TP\n\\fB\\-\\-out\\fR <a\\-b>\nx\n")
    #expect(body { $0.item("", "<file>", means: "") } == ".TP\n<file>\n\\&\n")
    #expect(body { $0.section("see \"also\"") } == ".SH \"SEE \\(dqALSO\\(dq\"\n")
  }

  @Test("indented lines stay as they are, the others become paragraphs")
  func code() {
    let made = body { $0.text("One.\n\nTwo:\n  a -b\n  .c\nThree.") }
    #expect(
      made == "One.\n.PP\nTwo:\n.PP\n.RS 4\n.nf\na \\-b\n\\&.c\n.fi\n.RE\n.PP\nThree.\n")
  }
}
