import Foundation
import Testing

@testable import continuo

@Suite("The steering tables as Markdown")
struct SteeringMarkdownTests {
  @Test(
    "a row has the means with their error, each trait in brackets, and nothing for what is unknown")
  func table() {
    var report = SteeringReport(model: "house", clips: 4, seconds: 2)
    var table = SteeringReport.Table(title: "Adding X", note: "a | b")
    var row = SteeringReport.Row(name: "smitin")
    for (trait, presence) in [("drums", 0.9), ("bass", 0.7)] {
      row.entries.append(
        SteeringReport.Entry(
          trait: trait, success: 0.5, presence: presence, similarity: .nan, gain: 0.25, clips: 4,
          distance: 12.34, error: 0.03))
    }
    table.rows = [row]
    report.tables = [table]
    report.correlation = ["drums": 0.9]
    let lines = report.markdown.components(separatedBy: "\n")
    #expect(lines.contains("## Adding X") && lines.contains("a \\| b"))
    #expect(lines.contains("Means; in brackets drums, bass."))
    #expect(lines.contains("| method | success, % | presence, % | distance | gain |"))
    #expect(lines.contains("| smitin | 50.0 (50, 50) | 80.0 ± 2.1 (90, 70) | 12.3 | 0.25 |"))
    #expect(report.markdown.contains("drums 0.90."))
  }
}
