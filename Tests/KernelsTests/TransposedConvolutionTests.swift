import TestSupport
import Testing

@testable import Kernels

@Suite("Transposed convolution")
struct TransposedConvolutionTests {
  /// The definition: every input row adds its taps to the outputs from row t · stride on.
  private func slow(
    _ x: [Float], weights: [Float], bias: [Float], inputs: Int, outputs: Int, stride: Int, rows: Int
  ) -> [Double] {
    let taps = 2 * stride
    let length = (rows - 1) * stride + taps
    var y = (0..<length).flatMap { _ in bias.map { Double($0) } }
    for t in 0..<rows {
      for c in 0..<inputs {
        for o in 0..<outputs {
          for tap in 0..<taps {
            y[(t * stride + tap) * outputs + o] +=
              Double(x[t * inputs + c]) * Double(weights[(c * outputs + o) * taps + tap])
          }
        }
      }
    }
    return y
  }

  @Test("equals the definition", arguments: [(3, 4, 2), (8, 1, 5), (1, 7, 3), (16, 20, 8)])
  func definition(inputs: Int, outputs: Int, stride: Int) {
    var random = TestRandom(seed: 2)
    let weights = random.normal(inputs * outputs * 2 * stride)
    let bias = random.normal(outputs)
    let transposed = TransposedConvolution(
      weights: weights, bias: bias, inputChannels: inputs, outputChannels: outputs, stride: stride)
    for rows in [1, 2, 3, 40, 90] {
      let x = random.normal(rows * inputs)
      let expected = slow(
        x, weights: weights, bias: bias, inputs: inputs, outputs: outputs, stride: stride,
        rows: rows)
      // A row of zeros on either side makes the first and the last block.
      let padded =
        [Float](repeating: 0, count: inputs) + x + [Float](repeating: 0, count: inputs)
      let blocks = rows + 1
      var y = [Float](repeating: .nan, count: blocks * stride * outputs)
      var workspace = [Float](
        repeating: .nan, count: transposed.blocks.workspaceCount(outputs: blocks))
      var output = y.mutableSpan
      var scratch = workspace.mutableSpan
      transposed.blocks.apply(
        padded.span, outputs: blocks, skip: Span(), into: &output, workspace: &scratch,
        pool: ComputePool())
      #expect(y.count == expected.count)
      for (fast, slow) in zip(y, expected) {
        #expect(abs(Double(fast) - slow) <= sumTolerance(2 * inputs))
      }
    }
  }
}
