import Foundation
import Testing

@testable import Engine

@Suite struct SincResamplerTests {
  private func tone(_ frequency: Double, rate: Int, count: Int) -> [Float] {
    (0..<count).map { Float(sin(2 * .pi * frequency * Double($0) / Double(rate))) }
  }

  private func make(_ resampler: SincResampler, _ range: Range<Int>, _ source: [Float]) -> [Float] {
    var output = [Float](repeating: 0, count: range.count)
    var span = output.mutableSpan
    resampler.make(range, source: source.span, sourceStart: 0, into: &span)
    return output
  }

  @Test(arguments: [
    (32000, 44100), (32000, 48000), (32000, 96000), (32000, 192000), (44100, 32000),
    (48000, 32000), (192000, 32000), (32000, 22050),
  ])
  func tonesKeepTheirHeightStrengthAndPlace(from: Int, to: Int) {
    let resampler = SincResampler(from: from, to: to)
    for frequency in [50.0, 1000, 8000] {
      let source = tone(frequency, rate: from, count: from / 2)
      let expected = tone(frequency, rate: to, count: to / 2)
      let range = (to / 10)..<(to / 10 + 2000)
      let made = make(resampler, range, source)
      var worst: Float = 0
      for (index, position) in range.enumerated() {
        worst = max(worst, abs(made[index] - expected[position]))
      }
      // −80 dB: stop band and rounding of the weights.
      #expect(worst < 1e-4, "\(frequency) Hz: \(worst)")
    }
  }

  @Test func whatTheNewRateCannotHoldIsRemoved() {
    let resampler = SincResampler(from: 48000, to: 32000)
    let made = make(resampler, 3000..<5000, tone(19000, rate: 48000, count: 24000))
    #expect(made.allSatisfy { abs($0) < 1e-3 })
  }

  @Test func aRangeMadeInPiecesHasTheSameBits() {
    let resampler = SincResampler(from: 32000, to: 44100)
    let source = (0..<4000).map { _ in Float.random(in: -1...1) }
    let whole = make(resampler, 100..<4000, source)
    var pieces: [Float] = []
    var position = 100
    while position < 4000 {
      let next = min(4000, position + Int.random(in: 1...300))
      pieces += make(resampler, position..<next, source)
      position = next
    }
    #expect(pieces == whole)
  }

  @Test(arguments: [(32000, 44100), (48000, 32000), (32000, 48000), (32000, 32000)])
  func neededInputsAndPossibleOutputsAgree(from: Int, to: Int) {
    let resampler = SincResampler(from: from, to: to)
    for end in stride(from: 100, to: 3000, by: 7) {
      let outputs = resampler.outputs(beforeInput: end)
      #expect(resampler.inputs(for: 0..<outputs).upperBound <= end)
      #expect(resampler.inputs(for: 0..<outputs + 1).upperBound > end)
    }
  }

  @Test func theSameRateChangesNothing() {
    let source = (0..<100).map { Float($0) }
    #expect(make(SincResampler(from: 32000, to: 32000), 10..<20, source) == Array(source[10..<20]))
  }
}
