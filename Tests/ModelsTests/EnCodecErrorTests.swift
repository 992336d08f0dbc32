import Models
import Reporting
import Testing

@Suite("EnCodec error")
struct EnCodecErrorTests {
  /// A name with a line break and an escape sequence, as a stranger's file may hold.
  private static let evil = "a\nb\u{1B}[31m"
  private static let all: [EnCodecError] = [
    .unsupported(setting: "norm_type", value: evil, reason: "r"),
    .badSetting(setting: "filters", value: evil, reason: "r"), .missing(tensor: evil),
    .wrongShape(tensor: evil, found: [1, 2], expected: [3]), .notFinite(tensor: evil),
    .tooFewCodebooks(found: 2, expected: 4),
    .codeOutOfRange(code: 2048, codebook: 0, step: 7, cardinality: 2048),
    .wrongCount(what: "codes", found: 5, expected: "a multiple of 4"), .sampleNotFinite(index: 9),
  ]

  @Test("says on one line what is wrong and what to do, whatever a file calls its tensors")
  func words() {
    for error in Self.all {
      #expect(error.kind == .data)
      for text in [error.problem, error.remedy] {
        #expect(!text.isEmpty && !text.hasSuffix(".") && !text.contains { "\n\u{1B}".contains($0) })
      }
    }
  }

  @Test("counts codebooks from 1, as people do, and names the range of codes")
  func facts() {
    #expect(
      EnCodecError.codeOutOfRange(code: 2048, codebook: 0, step: 7, cardinality: 2048).problem
        == "code 2048 of codebook 1 at step 7 is outside 0 … 2047")
    #expect(
      EnCodecError.wrongCount(what: "codes", found: 5, expected: "a multiple of 4").problem
        == "there are 5 codes, but a multiple of 4 are needed")
  }
}
