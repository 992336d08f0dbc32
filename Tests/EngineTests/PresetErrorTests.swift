import Reporting
import Testing

@testable import Engine

@Suite struct PresetErrorTests {
  /// A name with a line break, an escape sequence and a change of direction.
  private static let evil = "a\nb\u{1B}[31m\u{202E}"
  private static let all: [(PresetError, FailureKind)] = [
    (.cannotOpen(bundle: "b", reason: "r"), .noInput),
    (.notAnArchive(bundle: "b", reason: "r"), .data),
    (.forbiddenName(bundle: "b", name: evil), .data),
    (.notAFile(bundle: "b", name: evil, what: "a link"), .data),
    (.duplicate(bundle: "b", name: evil), .data),
    (.tooLarge(bundle: "b", name: evil, limit: 5), .data),
    (.inflates(bundle: "b", ratio: 9), .data),
    (.encrypted(bundle: "b", name: evil), .data), (.missingFile(bundle: "b", name: "n"), .data),
    (.wrongSum(bundle: "b", name: evil), .data), (.badSums(bundle: "b", reason: "r"), .data),
    (.badManifest(bundle: "b", reason: evil), .data),
    (.badText(bundle: "b", field: evil, reason: "r"), .data),
    (.badProbes(bundle: "b", reason: evil), .data),
    (.otherDimensions(bundle: "b", made: evil, model: evil), .data),
    (.notFound(name: evil, places: []), .noInput),
    (.unknownTrait(name: evil, known: [evil]), .usage),
    (.ambiguousTrait(name: evil, candidates: [evil, evil]), .usage),
    (.cannotInstall(place: "p", reason: "r"), .cannotCreate),
    (.notOurs(name: evil, place: "p"), .permission),
  ]

  @Test(arguments: all.indices)
  func saysWhatIsWrongAndWhatToDoAndCleansWhatTheBundleSays(index: Int) {
    let (error, kind) = Self.all[index]
    #expect(error.kind == kind)
    for text in [error.problem, error.remedy] {
      #expect(!text.isEmpty && !text.hasSuffix("."))
      #expect(!text.contains { "\n\u{1B}\u{202E}".contains($0) }, "\(text.debugDescription)")
    }
  }

  @Test func namesWhatIsKnown() {
    #expect(
      PresetError.unknownTrait(name: "x", known: []).problem
        == "no loaded bundle has a trait “x”; known are: none")
    #expect(
      PresetError.unknownTrait(name: "x", known: ["a/b", "a/c"]).problem.hasSuffix(": a/b, a/c"))
    #expect(PresetError.notFound(name: "x", places: []).problem == "no bundle “x” in any folder")
    #expect(PresetError.notFound(name: "x", places: ["/a", "/b"]).problem.hasSuffix("in /a, /b"))
  }

  @Test func warningsSayWhatTheyFound() {
    #expect(
      PresetWarning.weakProbe(trait: "flute", accuracy: 0.506).description
        == "its best probe for flute is right in only 51 %")
    #expect(PresetWarning.noLicence.description.contains("licence"))
    let other = PresetWarning.otherWeights(made: Self.evil, model: "house")
    #expect(!other.description.contains("\n") && other.description.contains("house"))
  }
}
