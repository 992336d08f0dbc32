import TestSupport
import Testing

@testable import Kernels

@Suite("Plane convolution")
struct PlaneConvolutionTests {
  private func layer(
    _ input: Int, _ output: Int, _ kernel: (Int, Int), _ stride: (Int, Int), _ padding: (Int, Int),
    dilation: Int = 1, seed: UInt64 = 1
  ) -> PlaneConvolution {
    var random = TestRandom(seed: seed)
    var layer = PlaneConvolution(
      input: input, output: output, kernel: (kernel.0, kernel.1), stride: (stride.0, stride.1),
      padding: (padding.0, padding.1), dilation: dilation)
    layer.weight = random.normal(output * input * kernel.0 * kernel.1)
    layer.bias = random.normal(output)
    return layer
  }

  /// The definition, tap by tap.
  private func direct(_ layer: PlaneConvolution, _ x: [Float], bands: Int, frames: Int) -> [Float] {
    let size = layer.size(of: bands, frames)
    var y: [Float] = []
    for band in 0..<size.bands {
      for output in 0..<layer.output {
        for frame in 0..<size.frames {
          var sum = layer.bias[output]
          for input in 0..<layer.input {
            for i in 0..<layer.kernel.bands {
              for j in 0..<layer.kernel.frames {
                let (b, f) = (
                  band * layer.stride.bands + i - layer.padding.bands,
                  frame * layer.stride.frames + j * layer.dilation - layer.padding.frames
                )
                guard (0..<bands).contains(b), (0..<frames).contains(f) else { continue }
                let tap = (i * layer.kernel.frames + j)
                let taps = layer.kernel.bands * layer.kernel.frames
                sum +=
                  layer.weight[(output * layer.input + input) * taps + tap]
                  * x[(b * layer.input + input) * frames + f]
              }
            }
          }
          y.append(max(sum, 0))
        }
      }
    }
    return y
  }

  @Test("agrees with its definition")
  func definition() {
    var random = TestRandom(seed: 9)
    let cases = [
      (layer(1, 3, (5, 3), (2, 1), (2, 1)), 9, 14), (layer(3, 4, (3, 3), (2, 2), (1, 1)), 7, 11),
      (layer(2, 5, (3, 1), (1, 1), (1, 0)), 4, 6),
      (layer(6, 2, (1, 3), (1, 1), (0, 2), dilation: 2), 1, 20),
      (layer(1, 1, (2, 4), (3, 3), (0, 0)), 8, 4),
    ]
    for (layer, bands, frames) in cases {
      #expect(layer.isSound)
      let x = random.normal(bands * layer.input * frames)
      let (found, expected) = (
        layer(x, bands: bands, frames: frames), direct(layer, x, bands: bands, frames: frames)
      )
      #expect(found.count == expected.count && !found.isEmpty)
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }

  @Test("too little to look at gives nothing; sizes without sense are known")
  func edges() {
    let layer = layer(1, 2, (3, 5), (1, 1), (0, 0))
    #expect(layer([Float](repeating: 1, count: 12), bands: 3, frames: 4).isEmpty)
    #expect(layer([], bands: 3, frames: 0).isEmpty)
    let coarse = self.layer(1, 1, (1, 3), (1, 4), (0, 0))
    #expect(coarse.size(of: 1, 2) == (1, 0) && coarse([1, 1], bands: 1, frames: 2).isEmpty)
    #expect(coarse.size(of: 1, 3) == (1, 1) && coarse.size(of: 1, 7) == (1, 2))
    func isSound(_ stride: Int, _ padding: Int, _ kernel: Int) -> Bool {
      PlaneConvolution(
        input: 1, output: 1, kernel: (1, kernel), stride: (1, stride), padding: (0, padding)
      ).isSound
    }
    #expect(isSound(1, 0, 1) && !isSound(0, 0, 1) && !isSound(1, -1, 1) && !isSound(1, 0, .max))
  }
}
