import Audio
import Foundation
import Testing

@Suite("Spectrogram")
struct SpectrogramTests {
  @Test("a tone is loudest where its frequency stands", arguments: [100.0, 440, 3_000, 12_000])
  func place(hertz: Double) {
    let sound = tone(32_000, rate: 32_000, hertz: hertz).map { 2 * $0 }
    let spectrogram = Spectrogram(of: sound, rate: 32_000)
    let column = spectrogram.columns / 2
    let levels = spectrogram.levels[
      column * spectrogram.bands..<(column + 1) * spectrogram.bands]
    let loudest = levels.max()!
    let band = levels.firstIndex(of: loudest)! - levels.startIndex
    let expected = spectrogram.position(of: hertz) * Double(spectrogram.bands) - 0.5
    #expect(abs(Double(band) - expected) <= 2)
    #expect(abs(loudest) < 6)
  }

  @Test("silence lies on the floor, and an empty or tiny clip gives one column")
  func silence() {
    let silent = Spectrogram(of: [Float](repeating: 0, count: 5_000), rate: 32_000)
    #expect(silent.levels.allSatisfy { $0 == Spectrogram.floor })
    #expect(Spectrogram(of: [], rate: 32_000).columns == 1)
    #expect(Spectrogram(of: [0.5], rate: 32_000).columns == 1)
  }

  @Test("a click between two columns of a long clip is still seen")
  func click() {
    var sound = [Float](repeating: 0, count: 64_000)
    sound[40_123] = 1
    let spectrogram = Spectrogram(of: sound, rate: 32_000, columns: 10)
    let column = 40_123 * spectrogram.columns / sound.count
    let levels = spectrogram.levels[
      column * spectrogram.bands..<(column + 1) * spectrogram.bands]
    #expect(levels.max()! > -90)
  }
}
