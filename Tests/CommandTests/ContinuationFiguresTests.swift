import Foundation
import Testing

@testable import continuo

@Suite("Continuation figures")
struct ContinuationFiguresTests {
  /// A chord under clicks.
  private func music(_ seconds: Int, bpm: Double, tone: Double, level: Double = 0.3) -> [Float] {
    (0..<seconds * 32_000).map { index in
      let time = Double(index) / 32_000
      let since = (time * bpm / 60).truncatingRemainder(dividingBy: 1) * 60 / bpm
      let click = exp(-50 * since) * sin(2 * .pi * 1500 * since)
      return Float(level * (click + 0.3 * sin(2 * .pi * tone * time)))
    }
  }

  @Test("the same music at half the level: same tempo and harmony, 6 LU quieter")
  func same() {
    let figures = ContinuationFigures(
      of: music(8, bpm: 110, tone: 440, level: 0.15), behind: music(8, bpm: 110, tone: 440),
      rate: 32_000)
    #expect(figures.isSameTempo && figures.chroma > 0.99 && figures.silence == 0)
    #expect(abs(figures.change + 6.02) < 0.2)
  }

  @Test("another tempo and another key are heard")
  func other() {
    let figures = ContinuationFigures(
      of: music(8, bpm: 133, tone: 622.25), behind: music(8, bpm: 110, tone: 440), rate: 32_000)
    #expect(!figures.isSameTempo && figures.chroma < 0.9)
  }

  @Test("the longest silence is found, and silence counts as -70 LUFS")
  func silence() {
    var rest = music(6, bpm: 110, tone: 440)
    for index in 64_000..<144_000 { rest[index] = 0 }
    #expect(abs(ContinuationFigures.longestSilence(of: rest, rate: 32_000) - 2.5) < 0.05)
    let quiet = ContinuationFigures(
      of: [Float](repeating: 0, count: 96_000), behind: music(3, bpm: 110, tone: 440), rate: 32_000)
    #expect(quiet.change < -40 && quiet.tempo == 0 && quiet.silence == 3)
  }
}
