import Models
import Testing

@Suite("Delay pattern")
struct DelayPatternTests {
  @Test("mono codebooks stand one step later each, stereo ones in pairs")
  func delays() {
    let mono = DelayPattern(codebooks: 4, channels: 1)
    #expect((0..<4).map(mono.delay) == [0, 1, 2, 3])
    let stereo = DelayPattern(codebooks: 8, channels: 2)
    #expect((0..<8).map(stereo.delay) == [0, 0, 1, 1, 2, 2, 3, 3])
    #expect(mono.longestDelay == 3 && stereo.longestDelay == 3)
  }

  @Test("codebook k of frame t stands at step 1 + t + delay")
  func placement() {
    for pattern in [
      DelayPattern(codebooks: 4, channels: 1), DelayPattern(codebooks: 8, channels: 2),
      DelayPattern(codebooks: 1, channels: 1),
    ] {
      for frame in 0..<20 {
        for k in 0..<pattern.codebooks {
          let step = 1 + frame + pattern.delay(k)
          #expect(pattern.frame(step: step, codebook: k) == frame)
          #expect(step <= pattern.lastStep(ofFrame: frame))
        }
        #expect(pattern.wholeFrames(afterStep: pattern.lastStep(ofFrame: frame)) == frame + 1)
        #expect(pattern.wholeFrames(afterStep: pattern.lastStep(ofFrame: frame) - 1) == frame)
      }
    }
  }
}
