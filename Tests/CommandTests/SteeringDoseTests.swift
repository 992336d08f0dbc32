import Models
import Testing

@testable import continuo

@Suite("Doses and their choice")
struct SteeringDoseTests {
  @Test("a dose is read as it is written, and what is none is refused")
  func texts() throws {
    let plain = try Dose(text: "20/1")
    #expect(plain == Dose(alpha: 20, period: 1) && plain.text == "20/1" && plain.name == "α 20 s 1")
    let other = try Dose(text: "2.5/5/mean-difference")
    #expect(other == Dose(alpha: 2.5, period: 5, direction: .meanDifference))
    #expect(try Dose(text: other.text) == other && other.name == "α 2.5 s 5 mean difference")
    #expect(other.doubled == Dose(alpha: 5, period: 5, direction: .meanDifference))
    for text in ["", "20", "x/1", "20/0", "0/1", "20/1/up", "20/1/probe/1", "20//probe", "nan/1"] {
      #expect(throws: CommandError.self) { try Dose(text: text) }
    }
  }

  private let choice = DoseChoice(unsteered: ([0.2, 0.4], 24))

  private func trial(_ alpha: Float, _ presence: [Double], _ distance: Double) -> DoseChoice.Trial {
    DoseChoice.Trial(
      dose: Dose(alpha: alpha, period: 1), presence: presence, distance: distance)
  }

  @Test("a dose is heard with 30 points in the mean and 15 for each trait")
  func heard() {
    #expect(choice.isHeard(trial(1, [0.65, 0.56], 1)))
    #expect(!choice.isHeard(trial(1, [0.45, 0.6], 1)), "22.5 points in the mean")
    #expect(!choice.isHeard(trial(1, [0.9, 0.5], 1)), "10 points for the second")
  }

  @Test("of the doses that are heard, take out and stay music, the nearest to songs is taken")
  func nearest() {
    let trials = [
      trial(2, [0.3, 0.5], 5), trial(5, [0.7, 0.8], 9), trial(10, [0.9, 0.9], 8),
      trial(20, [1, 1], 12),
    ]
    func taken(gone: Set<Float>, music: Set<Float>) -> Float? {
      choice.dose(
        among: trials, remaining: { gone.contains($0.alpha) ? 0.2 : 0.3 },
        doubled: { music.contains($0.alpha) ? 20 : 30 })?.alpha
    }
    #expect(taken(gone: [2, 5, 10, 20], music: [2, 5, 10, 20]) == 10)
    #expect(taken(gone: [5, 20], music: [5, 10, 20]) == 5)
    // None meets everything: the nearest of those that meet most.
    #expect(taken(gone: [20], music: [5]) == 5)
    #expect(taken(gone: [], music: []) == 10)
  }

  @Test("nobody is asked what is not needed, and without a dose that is heard the loudest is taken")
  func sparing() throws {
    var asked: [Float] = []
    let found = choice.dose(
      among: [trial(5, [0.7, 0.8], 9), trial(10, [0.9, 0.9], 8)],
      remaining: { dose in
        asked.append(dose.alpha)
        return 0
      }, doubled: { _ in 0 })
    #expect(found?.alpha == 10 && asked == [10])
    let faint = [trial(5, [0.3, 0.4], 9), trial(10, [0.4, 0.5], 8), trial(2, [0.2, 0.4], 1)]
    #expect(choice.dose(among: faint, remaining: { _ in 0 }, doubled: { _ in 0 })?.alpha == 10)
    #expect(choice.dose(among: [], remaining: { _ in 0 }, doubled: { _ in 0 }) == nil)
  }
}
