import Foundation
import Testing

@testable import Attribution

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite("Score curves")
struct ScoreCurvesTests {
  @Test("normalised scores span 0 to 1, or sum to 1")
  func normalisation() {
    #expect(normalised([4, 2, 0], .minMax) == [1, 0.5, 0])
    let soft = normalised([4, 2, 0], .softmax)
    #expect(abs(soft.reduce(0, +) - 1) < 1e-12 && soft[0] > soft[1])
    #expect(normalised([1, 1], .softmax) == [0.5, 0.5])
  }

  @Test("normalised scores do not depend on unit and offset")
  func units() {
    let scores = [7.0, 3, 2.5, -1]
    for scale in [ScoreCurves.Scale.minMax, .softmax] {
      let (one, other) = (
        normalised(scores, scale), normalised(scores.map { 1e-6 * $0 + 5 }, scale)
      )
      for (a, b) in zip(one, other) { #expect(abs(a - b) < 1e-6) }
    }
    #expect(normalised([], .minMax).isEmpty && normalised([], .softmax).isEmpty)
    #expect(normalised([3], .softmax) == [1])
  }

  /// The elements of a figure by name, with their attributes.
  private func elements(_ svg: String) throws -> [(name: String, attributes: [String: String])] {
    final class Reader: NSObject, XMLParserDelegate {
      var found: [(name: String, attributes: [String: String])] = []
      func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
      ) { found.append((name, attributes)) }
    }
    let reader = Reader()
    let parser = XMLParser(data: Data(svg.utf8))
    parser.delegate = reader
    #expect(parser.parse(), "not well-formed: \(svg.prefix(200))")
    return reader.found
  }

  private func points(_ text: String?) -> [(x: Double, y: Double)] {
    (text ?? "").split(separator: " ").compactMap { pair in
      let numbers = pair.split(separator: ",").compactMap { Double($0) }
      return numbers.count == 2 ? (numbers[0], numbers[1]) : nil
    }
  }

  @Test("one line per method inside the picture, falling from left to right")
  func lines() throws {
    let many = Dictionary(uniqueKeysWithValues: (0..<1_000).map { ("t\($0)", Double($0 * $0)) })
    for scale in [ScoreCurves.Scale.minMax, .softmax] {
      let svg = ScoreCurves(
        [testRanking(many), testRanking(["a": 1, "b": 2, "c": 4], method: "codec <similarity>")],
        scale
      ).svg
      let found = try elements(svg)
      let lines = found.filter { $0.name == "polyline" }.map { points($0.attributes["points"]) }
      #expect(lines.count == 2 && lines[1].count == 3)
      #expect((100...201).contains(lines[0].count), "thinned out: \(lines[0].count)")
      let box =
        found[0].attributes["viewBox"]?.split(separator: " ").compactMap { Double($0) } ?? []
      for line in lines {
        #expect(line.allSatisfy { $0.x >= 0 && $0.x <= box[2] && $0.y >= 0 && $0.y <= box[3] })
        for (one, next) in zip(line, line.dropFirst()) {
          #expect(next.x > one.x && next.y >= one.y, "worse ranks are further right and lower")
        }
      }
      #expect(svg.contains("codec &lt;similarity&gt;") && !svg.contains("nan"))
    }
  }

  @Test("several queries are a mean with its deviation around it; one alone has none")
  func bands() throws {
    let (one, other) = (
      testRanking(["a": 0, "b": 1, "c": 2]), testRanking(["a": 0, "b": 1.5, "c": 2])
    )
    func bands(_ rankings: [Ranking]) throws -> Int {
      try elements(ScoreCurves(groups: [("m", rankings)], .minMax).svg)
        .count { $0.name == "polygon" }
    }
    #expect(try bands([one, other]) == 1 && bands([one]) == 0 && bands([one, one]) == 0)
  }

  @Test("what is no curve leaves a figure without one")
  func empty() throws {
    for rankings in [[], [testRanking([:])], [testRanking(["a": 1])]] {
      let found = try elements(ScoreCurves(rankings, .softmax).svg)
      #expect(!found.contains { $0.name == "polyline" })
    }
    // Tracks that a method does not tell apart are a flat line.
    let flat = try elements(ScoreCurves([testRanking(["a": 1, "b": 1])], .minMax).svg)
    #expect(flat.count { $0.name == "polyline" } == 1)
  }
}
