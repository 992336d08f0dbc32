import Reporting
import Testing

@testable import Attribution

@Suite("Attribution error")
struct AttributionErrorTests {
  /// A name with a line break and an escape sequence.
  private static let evil = "a\nb\u{1B}[31m"
  private static let all: [(AttributionError, FailureKind)] = [
    (.noCatalogue(folder: "/c", reason: "r"), .noInput),
    (.badCatalogue(file: "/c", reason: evil), .data),
    (.newerCatalogue(file: "/c", version: 9), .data),
    (.noTrack(id: evil, catalogue: "/c"), .noInput),
    (.mismatch(catalogue: "/c", model: "m", reason: "r"), .data),
    (.badEmbeddings(file: "/e", reason: evil), .data), (.badPiece(file: "/p", reason: evil), .data),
    (.emptyMask(item: evil), .data), (.lossNotFinite(item: evil), .data),
    (.riseOutOfReach(wanted: 0.5, reached: 0.25), .data),
    (.badSetting(name: "--rise", value: evil, expected: "above 0"), .usage),
    (.newerStore(file: "/s", version: 9), .data), (.store(file: "/s", reason: evil), .inputOutput),
    (.shards(reason: "r"), .data), (.noJob(id: 7), .noInput), (.cancelled, .unavailable),
  ]

  @Test("says on one line what is wrong and what to do", arguments: all.indices)
  func words(index: Int) {
    let (error, kind) = Self.all[index]
    #expect(error.kind == kind)
    for text in [error.problem, error.remedy] {
      #expect(!text.isEmpty && !text.hasSuffix(".") && !text.contains { "\n\u{1B}".contains($0) })
    }
  }

  @Test("names the facts")
  func facts() {
    #expect(
      AttributionError.riseOutOfReach(wanted: 0.5, reached: 0.25).problem
        == "no step raises the piece's own loss by 0.5 of itself; the largest reached is 0.25")
    #expect(
      AttributionError.badSetting(name: "--rise", value: "-1", expected: "above 0").problem
        == "--rise is -1, but must be above 0")
    #expect(
      AttributionError.newerStore(file: "/s", version: 9).problem.contains(
        "this one knows \(JobStore.version)"))
  }
}
