import Audio
import Foundation
import Testing

@Suite("Loudness")
struct LoudnessTests {
  // EBU Tech 3341, case 1: a stereo sine of 1 kHz at −23 dBFS per channel is −23.0 ±0.1 LUFS.
  @Test("the tone of EBU Tech 3341, case 1, reads −23 LUFS, integrated and short-term")
  func known() {
    let height = Float(2 * pow(10, -23.0 / 20))
    let channel = tone(48_000 * 20, rate: 48_000, hertz: 1_000).map { height * $0 }
    let loudness = Loudness(of: AudioClip(rate: 48_000, channels: [channel, channel]))
    #expect(abs(loudness.integrated + 23) < 0.1)
    #expect(abs(loudness.shortTermMaximum + 23) < 0.1)
    #expect(abs(loudness.truePeak + 23) < 0.1)
  }

  @Test("silence has no loudness and keeps its gain")
  func silence() {
    let loudness = Loudness(
      of: AudioClip(rate: 32_000, channels: [[Float](repeating: 0, count: 64_000)]))
    #expect(loudness.integrated == -.infinity && loudness.truePeak == -.infinity)
    #expect(loudness.gain(to: -16) == 1)
  }

  @Test("the gain reaches the target, or stops at the true-peak ceiling")
  func gain() {
    let clip = AudioClip(rate: 32_000, channels: [tone(64_000, rate: 32_000, hertz: 1_000)])
    let loudness = Loudness(of: clip)
    let gain = loudness.gain(to: -23)
    let scaled = AudioClip(rate: 32_000, channels: [clip.channels[0].map { gain * $0 }])
    #expect(abs(Loudness(of: scaled).integrated + 23) < 0.1)
    #expect(abs(20 * log10(0.5 * Double(loudness.gain(to: 20))) + 1) < 0.1)
  }
}
