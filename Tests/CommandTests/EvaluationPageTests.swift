import Foundation
import TestSupport
import Testing

@testable import continuo

@Suite("Evaluation page")
struct EvaluationPageTests {
  private var page: EvaluationPage {
    var page = EvaluationPage(title: "Songs & <figures>")
    var table = FigureTable(
      title: "Tempo", note: "Half counts.", columns: [.share("same"), .init("drift", decimals: 1)])
    table.rows = [.init("model", [0.875, 1.25]), .init("wanted", [0.8, nil])]
    page.tables = [table]
    page.pictures = [.init(title: "clip", svg: "<svg></svg>")]
    return page
  }

  @Test("numbers that are none count as missing")
  func odd() {
    #expect(FigureTable.Row("a", [.nan, .infinity, 1]).values == [nil, nil, 1])
  }

  @Test("shares are shown in per cent, missing figures as a dash")
  func text() {
    let lines = page.text.split(separator: "\n").map(String.init)
    #expect(lines.contains { $0.contains("87.5") && $0.contains("1.2") })
    #expect(lines.contains { $0.contains("80.0") && $0.contains("–") })
  }

  @Test("the page is one file without links, names are escaped")
  func html() throws {
    let html = page.html
    #expect(html.contains("Songs &amp; &lt;figures&gt;") && html.contains("<svg></svg>"))
    #expect(!html.contains("http") && !html.contains("<script"))
    let folder = try TemporaryFolder()
    try page.write(to: folder.url)
    let known = try JSONDecoder().decode(
      EvaluationPage.self, from: Data(contentsOf: folder.file("report.json")))
    #expect(known.tables[0].rows[1].values == [0.8, nil])
  }

  @Test("a finished part is read back, under the same key only")
  func store() throws {
    let folder = try TemporaryFolder()
    let store = EvaluationStore(folder: folder.url, key: "a")
    #expect(try store.value("part") { [1.5, 2] } == [1.5, 2])
    #expect(try store.value("part") { [0.0] } == [1.5, 2])
    #expect(try EvaluationStore(folder: folder.url, key: "b").value("part") { [0.0] } == [0])
    #expect(try EvaluationStore(folder: nil, key: "a").value("part") { [0.0] } == [0])
  }
}
