import Audio
import Foundation
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite("Sound picture")
struct SoundPictureTests {
  private func picture(title: String = "A take") -> SoundPicture {
    let clip = AudioClip(rate: 32_000, channels: [tone(64_000, rate: 32_000)])
    let reading = (0..<20).map { (seconds: Double($0) / 10, value: Double($0) / 20) }
    return SoundPicture(
      title: title, clip: clip, join: 0.8,
      panels: [
        .init(
          "drums", range: 0...1,
          curves: [
            .init("reading", points: reading),
            .init("threshold", style: .dashed, points: [(0, 0.4), (2, 0.4)]),
            .init("gain", style: .steps, points: [(0.8, 1), (1, 0), (1.5, .nan), (2, 1)]),
          ])
      ])
  }

  @Test("is well-formed XML that names the join, the units and every curve")
  func wellFormed() throws {
    let text = picture(title: "drums & <bass> \"up\"\u{1B}").svg()
    let parser = XMLParser(data: Data(text.utf8))
    #expect(parser.parse())
    for word in ["prompt", "continuation", "time in seconds", "kHz", "dB", "threshold", "gain"] {
      #expect(text.contains(word))
    }
    #expect(!text.contains("nan") && !text.contains("<bass>") && !text.contains("\u{1B}"))
  }

  @Test("the same sound gives the same bytes")
  func reproducible() { #expect(picture().svg() == picture().svg()) }

  @Test("an empty clip is drawn without trapping")
  func empty() {
    let text = SoundPicture(title: "", clip: AudioClip(rate: 32_000, channels: [[]]), join: 1).svg()
    #expect(XMLParser(data: Data(text.utf8)).parse())
  }
}
