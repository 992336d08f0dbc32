// One-dimensional transposed convolution (upsampling) over rows, as one matrix product.
//
// With twice as many taps as the stride, the `stride` output rows of block j depend on the input rows
// j − 1 and j only: block j = x[j−1] W[stride …] + x[j] W[… stride]. That is a convolution of two taps
// whose output row holds a whole block, so `Convolution` does it. The arrangement is ours.

/// Weights of a transposed convolution with `2 · stride` taps.
package struct TransposedConvolution: Sendable {
  package let inputChannels: Int
  package let outputChannels: Int
  package let stride: Int
  /// Two rows of input to one block (stride, outputChannels).
  package let blocks: Convolution

  /// Arranges weights.
  ///
  /// - Parameters:
  ///   - weights: (inputChannels, outputChannels, 2 · stride), as checkpoints store them.
  ///   - bias: (outputChannels).
  ///   - compact: keeps the weights in 16 bits, see `Convolution`.
  package init(
    weights: [Float], bias: [Float], inputChannels: Int, outputChannels: Int, stride: Int,
    compact: Bool = false
  ) {
    let taps = 2 * stride
    precondition(weights.count == inputChannels * outputChannels * taps, "shapes do not fit")
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.stride = stride
    blocks = Convolution(
      bias: (0..<stride).flatMap { _ in bias }, inputChannels: inputChannels,
      outputChannels: stride * outputChannels, taps: 2, compact: compact
    ) { panels, place in
      var index = 0
      for channel in 0..<inputChannels {
        for output in 0..<outputChannels {
          for tap in 0..<taps {
            // Tap p < stride is what x[j] gives to row p of its block j; tap stride + p, to row p of
            // block j + 1.
            let (row, input) = tap < stride ? (tap, 1) : (tap - stride, 0)
            panels[place(row * outputChannels + output, input * inputChannels + channel)] =
              weights[index]
            index += 1
          }
        }
      }
    }
  }
}
