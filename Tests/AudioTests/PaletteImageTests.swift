import Audio
import Testing

@Suite("Palette image")
struct PaletteImageTests {
  @Test("is a PNG file with the size that was asked for")
  func header() {
    let image = PaletteImage(width: 3, height: 2, indices: [0, 1, 2, 253, 254, 255])
    let png = image.png(palette: PaletteImage.inferno)
    #expect(Array(png[0..<8]) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
    #expect(Array(png[16..<24]) == [0, 0, 0, 3, 0, 0, 0, 2])
    #expect(png.count < 1_000)
  }

  @Test("the palette goes from dark to bright without a step back")
  func palette() {
    let light = stride(from: 0, to: 768, by: 3).map { index -> Int in
      (0..<3).reduce(0) { $0 + Int(PaletteImage.inferno[index + $1]) }
    }
    #expect(light.first == 4 && light.last == 252 + 255 + 164)
    #expect(zip(light, light.dropFirst()).allSatisfy { $1 >= $0 - 1 })
  }
}
