// Convolution over two axes, bands and frames, with ReLU: what networks on spectrograms are made of.
//
// Sound of any length goes through it a row of bands at a time, so that the unfolded input stays small. One row with
// as many channels as bands is a convolution over frames alone.

/// One layer. Pairs are (bands, frames).
package struct PlaneConvolution: Sendable {
  package typealias Pair = (bands: Int, frames: Int)

  package let input: Int
  package let output: Int
  package let kernel: Pair
  package let stride: Pair
  /// Zeros on both sides.
  package let padding: Pair
  /// Frames between the taps of the kernel.
  package let dilation: Int
  /// (output, input · kernel.bands · kernel.frames)
  package var weight: [Float] = []
  /// (output)
  package var bias: [Float] = []

  package init(
    input: Int, output: Int, kernel: Pair, stride: Pair, padding: Pair, dilation: Int = 1
  ) {
    (self.input, self.output, self.dilation) = (input, output, dilation)
    (self.kernel, self.stride, self.padding) = (kernel, stride, padding)
  }

  /// Whether its sizes make sense: 1 to 100,000, paddings from 0.
  package var isSound: Bool {
    let sizes = [
      input, output, kernel.bands, kernel.frames, stride.bands, stride.frames, dilation,
    ]
    return sizes.allSatisfy { (1...100_000).contains($0) }
      && [padding.bands, padding.frames].allSatisfy { (0...100_000).contains($0) }
  }

  /// Bands and frames that come out; 0 where there is less than the kernel covers.
  package func size(of bands: Int, _ frames: Int) -> Pair {
    func places(_ room: Int, _ stride: Int) -> Int { room < 0 ? 0 : room / stride + 1 }
    return (
      places(bands + 2 * padding.bands - kernel.bands, stride.bands),
      places(frames + 2 * padding.frames - dilation * (kernel.frames - 1) - 1, stride.frames)
    )
  }

  /// - Parameter x: (bands, input, frames).
  /// - Returns: max(0, convolution + bias) (bands, output, frames) of `size`; empty where nothing comes out.
  package func callAsFunction(_ x: [Float], bands: Int, frames: Int) -> [Float] {
    precondition(
      x.count == bands * input * frames && bias.count == output
        && weight.count == output * input * kernel.bands * kernel.frames, "shapes do not fit")
    let (outBands, outFrames) = size(of: bands, frames)
    guard outBands > 0, outFrames > 0 else { return [] }
    let depth = input * kernel.bands * kernel.frames
    let block = output * outFrames
    var columns = [Float](repeating: 0, count: depth * outFrames)  // (input · taps, frames)
    var part = [Float](repeating: 0, count: block)
    var y = [Float]()
    y.reserveCapacity(outBands * block)
    for outBand in 0..<outBands {
      unfold(x, bands: bands, frames: frames, row: outBand, outFrames: outFrames, into: &columns)
      var target = part.mutableSpan
      matrixProduct(
        weight.span, columns.span, m: output, n: outFrames, k: depth, into: &target)
      for channel in 0..<output {
        let offset = bias[channel]
        for place in channel * outFrames..<(channel + 1) * outFrames {
          y.append(max(part[place] + offset, 0))
        }
      }
    }
    return y
  }

  /// What each tap of each channel sees at a row of bands.
  private func unfold(
    _ x: [Float], bands: Int, frames: Int, row: Int, outFrames: Int, into columns: inout [Float]
  ) {
    var place = 0
    for channel in 0..<input {
      for tap in 0..<kernel.bands {
        let band = row * stride.bands + tap - padding.bands
        let start = (band * input + channel) * frames
        for step in 0..<kernel.frames {
          var frame = step * dilation - padding.frames
          for _ in 0..<outFrames {
            let isInside = band >= 0 && band < bands && frame >= 0 && frame < frames
            columns[place] = isInside ? x[start + frame] : 0
            place += 1
            frame += stride.frames
          }
        }
      }
    }
  }
}
