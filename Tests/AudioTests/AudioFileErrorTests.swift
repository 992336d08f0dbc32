import Audio
import Reporting
import Testing

@Suite("Audio file error")
struct AudioFileErrorTests {
  private static let all: [(AudioFileError, FailureKind)] = [
    (.noSuchFile(path: "a.wav"), .noInput), (.notReadable(path: "a.wav", reason: "r"), .noInput),
    (.notAFile(path: "a"), .noInput), (.empty(path: "a.wav"), .data),
    (.notAudio(path: "a.txt", reason: "r"), .data), (.damaged(path: "a.wav", reason: "r"), .data),
    (.absurdHeader(path: "a.wav", what: "2000000000 channels"), .data),
    (.notFinite(path: "a.wav", second: 1.234), .data),
    (.tooLong(path: "a.wav", seconds: 7200, limit: 3600), .data),
    (.partOutside(path: "a.wav", from: 10, seconds: 5.5), .usage),
    (.unknownExtension(path: "a.xyz"), .usage),
    (.formatRefused(path: "a.flac", what: "9 channels are too many"), .usage),
  ]

  @Test("names the file, says what is wrong and what to do", arguments: all.indices)
  func words(index: Int) {
    let (error, kind) = Self.all[index]
    #expect(error.kind == kind && error.problem.hasPrefix("a"))
    for text in [error.problem, error.remedy] {
      #expect(!text.isEmpty && !text.hasSuffix(".") && !text.contains("\n"))
    }
  }

  @Test("times are in seconds with two decimals")
  func times() {
    #expect(
      AudioFileError.notFinite(path: "a", second: 1.234).problem
        == "a holds a value that is no number at 1.23 s")
    #expect(
      AudioFileError.tooLong(path: "a", seconds: 7200, limit: 3600).problem
        == "a is 7200.00 s long, more than the 3600.00 s that fit")
    #expect(
      AudioFileError.partOutside(path: "a", from: 10, seconds: 5.5).problem
        == "a ends at 5.50 s, before the part from 10.00 s begins")
  }

  @Test("a path with control characters reaches a terminal on one line")
  func terminal() {
    let text = explanation(of: AudioFileError.noSuchFile(path: "a\nb\u{1B}[2J.wav"))
    #expect(text == "a?b?[2J.wav: no such file; check the path")
  }
}
