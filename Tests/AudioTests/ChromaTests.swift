import Audio
import Testing

@Suite("Chroma")
struct ChromaTests {
  @Test("mean chroma is librosa's")
  func reference() throws {
    for heard in try HeardMusic.all() {
      let chroma = Chroma(of: heard.sound, rate: 32_000)
      for (a, b) in zip(chroma.values, heard.chroma) { #expect(abs(a - b) < 1e-3) }
    }
  }

  @Test("an octave changes little, a tritone nearly everything, silence resembles nothing")
  func similarity() {
    func sine(_ hertz: Double) -> Chroma {
      Chroma(of: tone(32_000, rate: 32_000, hertz: hertz), rate: 32_000)
    }
    #expect(sine(440).similarity(to: sine(880)) > 0.95)
    #expect(sine(440).similarity(to: sine(622.25)) < 0.2)
    #expect(Chroma(of: [], rate: 32_000).similarity(to: sine(440)) == 0)
  }
}
