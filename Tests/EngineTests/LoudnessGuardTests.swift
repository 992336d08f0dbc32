import Foundation
import TestSupport
import Testing

@testable import Engine

@Suite struct LoudnessGuardTests {
  /// 20 ms blocks of a 1 kHz tone.
  private func run(_ guardian: inout LoudnessGuard, level: Float, seconds: Double) -> Float {
    var peak: Float = 0
    for block in 0..<Int(seconds * 50) {
      var samples = (0..<640).map {
        level * Float(sin(2 * .pi * 1000 * Double(block * 640 + $0) / 32000))
      }
      var span = samples.mutableSpan
      guardian.process(&span, frames: 640)
      peak = samples.map(abs).max() ?? 0
    }
    return peak
  }

  @Test func aToneOfKnownLoudnessIsMeasured() {
    // EBU Tech 3341: a 1 kHz sine of −23 dBFS peak in one channel reads −26 LUFS, in two −23.
    var meter = LoudnessGuard(rate: 32000, channels: 1, target: -20)
    let level = Float(pow(10, -23.0 / 20))
    let sound = (0..<96000).map { level * Float(sin(2 * .pi * 1000 * Double($0) / 32000)) }
    #expect(abs(meter.measure(sound[...]) + 26.0) < 0.1)
  }

  @Test func quietMusicComesUpSlowlyAndLoudMusicDown() {
    var guardian = LoudnessGuard(rate: 32000, channels: 1, target: -20)
    let quiet = run(&guardian, level: 0.05, seconds: 4)
    #expect(quiet < 0.05 * 1.2, "one decibel in the first second after three of listening")
    let later = run(&guardian, level: 0.05, seconds: 12)
    #expect(later > 0.05 * 1.8)
    let loud = run(&guardian, level: 0.9, seconds: 25)
    #expect(loud < 0.5)
  }

  @Test func withinTwoLoudnessUnitsNothingMovesAndSilenceIsLeft() {
    var guardian = LoudnessGuard(rate: 32000, channels: 1, target: -20)
    let level = Float(pow(10, (-19.0 + 3) / 20))
    #expect(abs(run(&guardian, level: level, seconds: 6) - level) < 1e-3)
    var silent = LoudnessGuard(rate: 32000, channels: 1, target: -20)
    _ = run(&silent, level: 1e-4, seconds: 6)
    #expect(silent.gain == 0)
  }

  @Test func withoutATargetSamplesStayAsTheyAre() {
    var guardian = LoudnessGuard(rate: 32000, channels: 2, target: nil)
    var samples: [Float] = [0.1, 0.2, 0.3, 0.4]
    var span = samples.mutableSpan
    guardian.process(&span, frames: 2)
    #expect(samples == [0.1, 0.2, 0.3, 0.4])
  }
}
