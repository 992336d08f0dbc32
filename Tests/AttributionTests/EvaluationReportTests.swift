import Foundation
import TestSupport
import Testing

@testable import Attribution

@Suite("The report of a study")
struct EvaluationReportTests {
  /// A study of one setting, with everything that may be left out.
  private func result(
    quality: Double? = 12.34, heldOut: Double? = 0.00123, catalogue: String = "songs",
    correlations: [CorrelationRow] = [
      CorrelationRow(methods: ["unlearning", "codec similarity"], queries: 5, mean: 0.876)
    ], absent: [LayerChoice] = [.crossAttention]
  ) -> EvaluationResult {
    var row = EvaluationRow(
      setting: EvaluationSetting(
        layers: .allTransformer, masksPiece: true, masksTracks: false, rise: 0.02, damping: 0.5),
      queries: 8, meanRank: 1.25, firstShare: 0.875, topSimilarity: 0.9, bottomSimilarity: -0.1,
      heldOutChange: heldOut, commonest: 3)
    row.quality = quality
    if quality != nil { row.contrastRanks = [1, 2] }
    row.stepNorm = heldOut.map { $0 / 10 }
    return EvaluationResult(
      model: "house", modelFingerprint: String(repeating: "ab", count: 32),
      family: "language model", catalogue: catalogue, tracks: 100, grid: [row],
      relatives: [
        RelativeRow(
          method: "unlearning", kind: "twin", queries: 4, medianRank: 2, topTwo: 0.75, topPercent: 1
        )
      ], sources: [], correlations: correlations, quality: quality, absent: absent, seconds: 61)
  }

  /// The cells of the rows of all tables, heads and rules left out.
  private func rows(_ text: String) -> [[String]] {
    text.split(separator: "\n").filter { $0.hasPrefix("| ") }.map { line in
      line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
        .map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }

  @Test("every row has a cell for every head, and figures with their unit")
  func cells() {
    let text = result().text
    let rows = rows(text)
    #expect(rows.map(\.count) == [14, 14, 6, 6, 3, 3])
    #expect(
      rows[1] == [
        "all-transformer", "0.02", "0.5", "✓", "", "1.2", "88 %", "1.5", "0.90", "-0.10",
        "12.3", "0.123 %",
        "1.2e-04", "3 of 8",
      ])
    #expect(rows[3] == ["unlearning", "twin", "4", "2", "75 %", "100 %"])
    #expect(rows[5] == ["unlearning and codec similarity", "5", "0.88"])
    #expect(text.hasPrefix("language model house, 100 tracks of songs\n"))
    #expect(text.contains("no tensors for cross-attention") && text.contains("FD is 12.3 before"))
  }

  @Test("what was not measured is a dash, and tables without rows are left out")
  func missing() {
    let text = result(quality: nil, heldOut: nil, correlations: [], absent: []).text
    let rows = rows(text)
    #expect(rows.map(\.count) == [14, 14, 6, 6])
    #expect(rows[1][7] == "–" && Array(rows[1][10...12]) == ["–", "–", "–"])
    #expect(!text.contains("FD is") && !text.contains("no tensors") && !text.contains("continues"))
  }

  @Test("the page says the same as the text, and is whole in itself")
  func page() {
    let page = result(catalogue: "a<b>&\"c\"").html(curves: ["<svg></svg>"])
    #expect(
      page.contains("100 tracks of a&lt;b&gt;&amp;&quot;c&quot;") && page.contains("<svg></svg>"))
    #expect(page.contains("<td>0.123 %</td>") && page.contains("model abababababababab…; 61 s"))
    for word in ["<script", "src=", "http", "<link"] { #expect(!page.contains(word)) }
    #expect(!result().html(curves: []).contains("Scores of generated pieces"))
  }

  @Test("is written as JSON, text and page, with figures where there are curves")
  func files() throws {
    let folder = try TemporaryFolder()
    let result = result()
    try result.write(to: folder.file("plain"), curves: [])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.file("plain").path).sorted()
        == ["evaluation.html", "evaluation.json", "evaluation.md"])
    try result.write(
      to: folder.file("full"), curves: [("unlearning", [testRanking(["a": 1, "b": 2])])])
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.file("full").path)
    #expect(names.sorted().prefix(2) == ["curves-softmax.svg", "curves.svg"])
    let page = try String(contentsOf: folder.file("full/evaluation.html"), encoding: .utf8)
    #expect(page.components(separatedBy: "<svg").count == 3)
  }
}
