// A picture of palette colours as a PNG file in memory, by libpng.

import CPNG

/// Rows of palette indices, the top one first.
package struct PaletteImage: Sendable {
  package let width: Int
  package let height: Int
  /// Indices into the palette.  // (height, width)
  package let indices: [UInt8]

  /// - Parameter indices: one per pixel, rows from top to bottom.  // (height, width)
  package init(width: Int, height: Int, indices: [UInt8]) {
    precondition(width > 0 && height > 0 && indices.count == width * height)
    self.width = width
    self.height = height
    self.indices = indices
  }

  /// The image as a PNG file.
  /// - Parameter palette: red, green, blue of each colour, 256 colours.  // (256, 3)
  package func png(palette: [UInt8]) -> [UInt8] {
    precondition(palette.count == 256 * 3)
    // Deflate never grows data by more than a thousandth; the rest is headers and row marks.
    var count = indices.count + indices.count / 100 + height + 4096
    var bytes = [UInt8](repeating: 0, count: count)
    let done = unsafe continuo_png_encode(
      indices, UInt32(width), UInt32(height), palette, 256, &bytes, &count)
    precondition(done == 1, "the buffer is larger than any encoding")
    return Array(bytes[0..<count])
  }

  /// 256 colours from black over violet and orange to pale yellow: equal steps look equal, also in grey and to
  /// the colour-blind. Interpolated between nine colours of matplotlib's "inferno" (public domain, CC0).
  package static let inferno: [UInt8] = {
    let anchors: [[Double]] = [
      [0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51],
      [249, 140, 10], [249, 201, 50], [252, 255, 164],
    ]
    return (0..<256).flatMap { index -> [UInt8] in
      let place = Double(index) / 255 * Double(anchors.count - 1)
      let before = min(Int(place), anchors.count - 2)
      let share = place - Double(before)
      return (0..<3).map {
        UInt8((anchors[before][$0] * (1 - share) + anchors[before + 1][$0] * share).rounded())
      }
    }
  }()
}
