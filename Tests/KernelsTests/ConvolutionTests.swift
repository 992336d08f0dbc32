import RealModule
import TestSupport
import Testing

@testable import Kernels

/// The definition, in double precision: y[t][o] = b[o] + Σ w[o][c][j] x[t·stride + j·dilation][c].
func slowConvolution(
  _ x: [Float], weights: [Float], bias: [Float], inputs: Int, outputs: Int, taps: Int, stride: Int,
  dilation: Int, rows: Int
) -> [Double] {
  var y = [Double](repeating: 0, count: rows * outputs)
  for t in 0..<rows {
    for o in 0..<outputs {
      var sum = Double(bias[o])
      for c in 0..<inputs {
        for j in 0..<taps {
          sum +=
            Double(weights[(o * inputs + c) * taps + j])
            * Double(x[(t * stride + j * dilation) * inputs + c])
        }
      }
      y[t * outputs + o] = sum
    }
  }
  return y
}

/// Largest allowed error of a sum of `terms` products of numbers about 1 in any order: partial sums are
/// about √k, each is rounded by 2⁻²⁴ of itself, so the deviation is below 2⁻²⁴ · terms; four of them.
func sumTolerance(_ terms: Int) -> Double { 4 * 0x1p-24 * Double(terms + 4) }

@Suite("Convolution")
struct ConvolutionTests {
  struct Shape: CustomStringConvertible {
    var inputs: Int
    var outputs: Int
    var taps: Int
    var stride = 1
    var dilation = 1
    var description: String {
      "\(inputs)→\(outputs), \(taps) taps, /\(stride), dilated \(dilation)"
    }
  }

  static let shapes = [
    Shape(inputs: 1, outputs: 8, taps: 7), Shape(inputs: 5, outputs: 3, taps: 3),
    Shape(inputs: 8, outputs: 1, taps: 7), Shape(inputs: 4, outputs: 33, taps: 8, stride: 4),
    Shape(inputs: 3, outputs: 70, taps: 10, stride: 5), Shape(inputs: 6, outputs: 9, taps: 1),
    Shape(inputs: 4, outputs: 6, taps: 3, dilation: 4), Shape(inputs: 16, outputs: 130, taps: 2),
    Shape(inputs: 2, outputs: 5, taps: 4, stride: 3), Shape(inputs: 130, outputs: 64, taps: 3),
  ]

  @Test("equals the definition for few and many rows", arguments: shapes)
  func definition(shape: Shape) {
    var random = TestRandom(seed: 1)
    let weights = random.normal(shape.outputs * shape.inputs * shape.taps)
    let bias = random.normal(shape.outputs)
    let convolution = Convolution(
      weights: weights, bias: bias, inputChannels: shape.inputs, outputChannels: shape.outputs,
      taps: shape.taps, stride: shape.stride, dilation: shape.dilation)
    for rows in [1, 2, 4, 5, 11, 12, 13, 31, 100, 259] {
      let x = random.normal(((rows - 1) * shape.stride + convolution.reach) * shape.inputs)
      let expected = slowConvolution(
        x, weights: weights, bias: bias, inputs: shape.inputs, outputs: shape.outputs,
        taps: shape.taps, stride: shape.stride, dilation: shape.dilation, rows: rows)
      let skip = random.normal(rows * shape.outputs)
      for (added, activate) in [([], false), (skip, false), ([], true), (skip, true)] {
        withEverySet { set in
          let one = apply(convolution, x, rows: rows, skip: added, activate: activate, threads: 1)
          let many = apply(convolution, x, rows: rows, skip: added, activate: activate, threads: 3)
          #expect(one == many, "threads change the result, \(set)")
          let tolerance = sumTolerance(shape.inputs * shape.taps)
          let worst = expected.indices.reduce(0.0) { worst, i in
            var value = expected[i] + (added.isEmpty ? 0 : Double(added[i]))
            if activate && value < 0 { value = Double.expMinusOne(value) }
            let error = abs(value - Double(one[i]))
            return error.isNaN ? .infinity : max(worst, error)
          }
          #expect(worst <= tolerance, "\(rows) rows, \(set)")
        }
      }
    }
  }

  @Test("compact weights are each output's weights rounded to 16 bits", arguments: shapes)
  func compact(shape: Shape) {
    var random = TestRandom(seed: 3)
    let window = shape.inputs * shape.taps
    var weights = random.normal(shape.outputs * window)
    for i in 0..<window { weights[i] = 0 }  // an output without a scale
    let bias = random.normal(shape.outputs)
    let convolution = Convolution(
      weights: weights, bias: bias, inputChannels: shape.inputs, outputChannels: shape.outputs,
      taps: shape.taps, stride: shape.stride, dilation: shape.dilation, compact: true)
    // The slow twin rounds by itself. A single output stays as it is.
    if shape.outputs > 1 {
      for output in 0..<shape.outputs {
        let part = output * window..<(output + 1) * window
        let scale = (weights[part].map(abs).max() ?? 0) / 32_767
        for i in part where scale > 0 { weights[i] = (weights[i] / scale).rounded() * scale }
      }
    }
    for rows in [1, 2, 3, 13, 200] {
      let x = random.normal(((rows - 1) * shape.stride + convolution.reach) * shape.inputs)
      let expected = slowConvolution(
        x, weights: weights, bias: bias, inputs: shape.inputs, outputs: shape.outputs,
        taps: shape.taps, stride: shape.stride, dilation: shape.dilation, rows: rows)
      withEverySet { set in
        let fast = apply(convolution, x, rows: rows, skip: [], activate: false, threads: 2)
        let worst = zip(fast, expected).reduce(0.0) { worst, pair in
          let error = abs(Double(pair.0) - pair.1)
          return error.isNaN ? .infinity : max(worst, error)
        }
        #expect(worst <= sumTolerance(window), "\(rows) rows, \(set)")
      }
    }
  }

  @Test("gives a row the same bits however many rows are computed together", arguments: shapes)
  func rowsApart(shape: Shape) {
    var random = TestRandom(seed: 2)
    let convolution = Convolution(
      weights: random.normal(shape.outputs * shape.inputs * shape.taps),
      bias: random.normal(shape.outputs), inputChannels: shape.inputs,
      outputChannels: shape.outputs, taps: shape.taps, stride: shape.stride,
      dilation: shape.dilation)
    let rows = 200
    let x = random.normal(((rows - 1) * shape.stride + convolution.reach) * shape.inputs)
    withEverySet { set in
      let together = apply(convolution, x, rows: rows, skip: [], activate: true, threads: 2)
      for (first, count) in [(0, 1), (7, 2), (9, 14), (199, 1), (100, 100)] {
        let part = Array(x[(first * shape.stride * shape.inputs)...])
        let alone = apply(convolution, part, rows: count, skip: [], activate: true, threads: 1)
        let range = first * shape.outputs..<(first + count) * shape.outputs
        #expect(alone == Array(together[range]), "\(set)")
      }
    }
  }

  private func apply(
    _ convolution: Convolution, _ x: [Float], rows: Int, skip: [Float], activate: Bool, threads: Int
  ) -> [Float] {
    var y = [Float](repeating: .nan, count: rows * convolution.outputChannels)
    var workspace = [Float](repeating: .nan, count: convolution.workspaceCount(outputs: rows))
    var output = y.mutableSpan
    var scratch = workspace.mutableSpan
    convolution.apply(
      x.span, outputs: rows, skip: skip.span, activate: activate, into: &output,
      workspace: &scratch, pool: ComputePool(threads: threads))
    return y
  }
}
