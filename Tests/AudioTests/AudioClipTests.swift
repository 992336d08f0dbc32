import Audio
import Testing

@Suite("Audio clip")
struct AudioClipTests {
  @Test("mono is the mean of the channels, peak the largest absolute sample of all")
  func mixing() {
    let clip = AudioClip(rate: 4, channels: [[1, 0, -1, 0], [0, 0, -1, 0.5]])
    #expect(clip.mono == [0.5, 0, -1, 0.25])
    #expect(clip.peak == 1)
    #expect(clip.seconds == 1)
  }

  @Test("resampling keeps the channel count and the duration")
  func duration() throws {
    let clip = AudioClip(
      rate: 44_100, channels: [[Float]](repeating: tone(441, rate: 44_100), count: 2))
    let other = try clip.resampled(to: 32_000)
    #expect(other.channels.count == 2 && other.frames == 320 && other.rate == 32_000)
  }
}
