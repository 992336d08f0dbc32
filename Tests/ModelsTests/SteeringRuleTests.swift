import Foundation
import Models
import TestSupport
import Testing

/// What the reference script for steering gave; see Fixtures/Steering/make_replay.py.
struct SteeringReplay: Decodable {
  var mode: String
  var alpha: [Float]
  var period: Int
  var power: Float
  var monitors: Int
  var topk: Int
  var start: Int
  var steps: Int
  var layers: Int
  var heads: Int
  var accuracyTrain: [[Float]]
  var accuracyTest: [[Float]]
  var weight: [[Float]]
  var tau: [Float]
  var reading: [[Float?]]
  var gain: [[Float]]

  static func load() throws -> [SteeringReplay] {
    try JSONDecoder().decode(
      [SteeringReplay].self, from: Data(contentsOf: fixture("Steering/replay.json")))
  }
}

@Suite("Steering rule")
struct SteeringRuleTests {
  @Test("gains replayed from the reference's readings are the reference's gains")
  func replay() throws {
    var changes = 0
    for case let run in try SteeringReplay.load() where run.mode == "smitin" {
      for j in run.alpha.indices {
        var gain: Float = 0
        var previous = Float.nan
        for step in stride(from: run.start, to: run.steps, by: run.period) {
          let reading = try #require(run.reading[j][step - 1])
          gain =
            step == run.start
            ? 1
            : UpdateRule.reset.next(
              gain: gain, reading: reading, previous: previous, threshold: run.tau[j])
          previous = reading
          #expect(abs(gain - run.gain[j][step]) <= 1e-4, "direction \(j), step \(step)")
          if gain != 1 { changes += 1 }
        }
      }
    }
    #expect(changes > 20)
  }

  @Test("a rising reading lowers the gain, a falling one resets it, a sufficient one switches off")
  func reset() {
    let rule = UpdateRule.reset
    let lowered = rule.next(gain: 0.8, reading: 0.5, previous: 0.25, threshold: 0.9)
    #expect(abs(lowered - 0.6) < 1e-6)
    #expect(rule.next(gain: 0.8, reading: 0.3, previous: 0.5, threshold: 0.9) == 1)
    #expect(rule.next(gain: 0.8, reading: 0.3, previous: 0.3, threshold: 0.9) == 1)
    #expect(rule.next(gain: 0.8, reading: 0.9, previous: 0.3, threshold: 0.9) == 0)
    #expect(rule.next(gain: 0, reading: 0.85, previous: 0.95, threshold: 0.9) == 1)
    #expect(rule.next(gain: 0.5, reading: .nan, previous: .nan, threshold: 0.9) == 1)
  }

  @Test("the other reading of the paper follows the reading below the threshold and drifts to zero")
  func decay() {
    let rule = UpdateRule.decay
    let raised = rule.next(gain: 0.5, reading: 0.25, previous: 0.5, threshold: 0.9)
    #expect(abs(raised - 0.625) < 1e-6)
    #expect(rule.next(gain: 0, reading: 0.3, previous: 0.95, threshold: 0.9) == 1)
    var gain: Float = 1
    for step in 1...3000 {
      let (now, before): (Float, Float) = step % 2 == 0 ? (0.6, 0.4) : (0.4, 0.6)
      gain = rule.next(gain: gain, reading: now, previous: before, threshold: 0.9)
    }
    #expect(gain < 1e-6)
  }
}
