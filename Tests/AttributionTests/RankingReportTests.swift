import Foundation
import TestSupport
import Testing

@testable import Attribution

@Suite("The report of a ranking")
struct RankingReportTests {
  @Test("Spearman's correlation of equal, opposite and unrelated orders")
  func correlations() {
    let up = testRanking(["a": 1, "b": 2, "c": 3, "d": 4])
    let down = testRanking(["a": 4, "b": 3, "c": 2, "d": 1])
    let flat = testRanking(["a": 1, "b": 1, "c": 1, "d": 1])
    #expect(correlation(up, up) == 1)
    #expect(correlation(up, down) == -1)
    #expect(correlation(up, flat) == nil)
  }

  @Test("is taken over the tracks that both have; two are too few")
  func common() {
    let a = testRanking(["a": 1, "b": 2, "c": 3, "x": 0])
    #expect(correlation(a, testRanking(["a": 10, "b": 20, "c": 30, "y": 99])) == 1)
    #expect(correlation(a, testRanking(["a": 10, "b": 20, "y": 99])) == nil)
    // By ranks, not by values.
    #expect(correlation(a, testRanking(["a": 1, "b": 1e6, "c": 1e9])) == 1)
  }

  @Test("what strangers wrote is text in the page, not part of it")
  func escaping() {
    var one = testRanking(["<script>": 2, "b": 1])
    one.question = "\"a\" & <b>"
    one.pieceName = "a<b>\u{7}.wav"
    let page = RankingReport([one]).html
    #expect(!page.contains("<script") && page.contains("Title of &lt;script&gt;"))
    #expect(page.contains("&quot;a&quot; &amp; &lt;b&gt;") && page.contains("a&lt;b&gt;?.wav"))
    #expect(escaped("<&\">") == "&lt;&amp;&quot;&gt;")
  }

  @Test("nothing is loaded from elsewhere, and no script runs")
  func alone() {
    let page = RankingReport([testRanking(["a": 1, "b": 2])]).html
    for word in ["<script", "src=", "@import", "url(", "<link"] { #expect(!page.contains(word)) }
    #expect(!page.replacingOccurrences(of: "http://www.w3.org/2000/svg", with: "").contains("http"))
  }

  @Test("the piece's own track is marked, and tracks beyond those shown are counted")
  func tables() {
    let scores = Dictionary(uniqueKeysWithValues: (0..<30).map { ("t\($0)", Double($0)) })
    let page = RankingReport([testRanking(scores, piece: "t29")], shown: 10).html
    #expect(page.contains("<tr class=\"own\">") && page.contains("Title of t29 (the piece itself)"))
    #expect(page.contains("Title of t20") && !page.contains("Title of t19"))
    #expect(page.contains("and 20 more in ranking.csv"))
    #expect(!RankingReport([testRanking(scores)], shown: 30).html.contains(" more in ranking.csv"))
  }

  @Test("small scores share one power of ten, so that they can be compared")
  func powers() {
    let page = RankingReport([testRanking(["a": 2.5e-6, "b": 1e-7, "c": -3e-6])]).html
    #expect(page.contains("score (10<sup>-6</sup>)"))
    for number in [">2.50<", ">0.10<", ">-3.00<"] { #expect(page.contains(number)) }
    let plain = RankingReport([testRanking(["a": 2.5, "b": 0])]).html
    #expect(!plain.contains("<sup>") && plain.contains(">2.5000<"))
    // All zero: no power, and no bar that is no number.
    let zero = RankingReport([testRanking(["a": 0, "b": 0])]).html
    #expect(zero.contains(">0.0000<") && !zero.contains("nan"))
  }

  @Test("unlearning on a model that did not make the piece is called similarity, with a warning")
  func kinds() {
    let words = "nothing about another’s training data"
    #expect(!RankingReport([testRanking(["a": 1])]).html.contains(words))
    let other = RankingReport([testRanking(["a": 1], kind: "similarity")]).html
    #expect(other.contains(words) && other.contains("What this piece resembles"))
  }

  @Test("every method is written into a folder of its own beside the page")
  func files() throws {
    let folder = try TemporaryFolder()
    let rankings = [
      testRanking(["a": 1, "b": 2]), testRanking(["a": 2, "b": 1], method: "codec similarity"),
    ]
    try RankingReport(rankings).write(to: folder.url)
    #expect(try Ranking(folder: folder.url) == rankings[0])
    #expect(try Ranking(folder: folder.file("codec-similarity")) == rankings[1])
    let page = try String(contentsOf: folder.file("report.html"), encoding: .utf8)
    #expect(page.contains("For comparison: codec similarity"))
  }

  @Test("numbers have as many figures as they are worth")
  func numbers() {
    #expect(fixed(1.0 / 3, 2) == "0.33" && fixed(-0.5, 0) == "-0")
    #expect(figure(1234.56) == "1235" && figure(0.000123456) == "0.0001235")
  }
}
