import Reporting
import Testing

@testable import Engine

@Suite struct ControlErrorTests {
  private static let all: [(ControlError, code: Int32)] = [
    (.unknownAddress("/x"), -1), (.badPattern("/["), -1), (.readOnly("/x"), -1),
    (.eventOnly("/x"), -1), (.wrongCount(address: "/x", given: 2, wanted: "i"), -1),
    (.wrongType(address: "/x", argument: "value", given: "s", wanted: "f"), -1),
    (.notFinite(address: "/x"), -1),
    (.notAChoice(address: "/x", given: "loud", choices: "a | b"), -1),
    (.tooLong(address: "/x", limit: 128), -1), (.noSuch(what: "take", name: "one"), -5),
    (.badName("a?b"), -1), (.notNow(what: "play", why: "no"), -8), (.notAllowed(what: "/quit"), -8),
    (.tooFarAhead(seconds: 4_000.7), -8), (.tooMuchScheduled(limit: 4096), -8),
    (.cannotCreate(what: "a file", reason: "no room"), -10),
    (.failed(problem: "no model", remedy: "name one"), -1),
  ]

  @Test(arguments: all.indices)
  func hasTheCodeOfTheSessionManagerAndSaysWhatIsWrongAndWhatToDo(index: Int) {
    let (error, code) = Self.all[index]
    #expect(error.code == code)
    for text in [error.problem, error.remedy] {
      #expect(!text.isEmpty && !text.hasSuffix(".") && !text.contains("\n"))
    }
    #expect(error.description == "\(error.problem); \(error.remedy)")
  }

  @Test func namesTheFacts() {
    #expect(
      ControlError.wrongCount(address: "/ping", given: 2, wanted: "").problem
        == "/ping got 2 arguments, wants none")
    #expect(ControlError.tooFarAhead(seconds: 4_000.7).problem == "a time tag 4000 s ahead")
    #expect(
      ControlError.notAChoice(address: "/a", given: "x", choices: "y | z").problem
        == "/a: x is none of y | z")
    #expect(ControlError.failed(problem: "p", remedy: "r").description == "p; r")
  }

  @Test func onlyWhatFailedIsNotTheSendersFault() {
    for (error, _) in Self.all {
      if case .failed = error {
        #expect(error.kind == .unavailable)
      } else {
        #expect(error.kind == .usage)
      }
    }
  }

  @Test func whatStrangersWroteReachesALogOnOneLine() {
    let error = ControlError.unknownAddress("/a\nb\u{1B}[31m\u{202E}")
    #expect(explanation(of: error) == "no address /a?b?[31m?; /tree lists all addresses")
  }
}
