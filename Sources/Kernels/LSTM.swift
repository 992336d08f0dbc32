// A long short-term memory layer, run over blocks of rows.
//
// i, f, o = σ(…), g = tanh(…) of W x + U h + b;  c ← f c + i g;  h ← o tanh c. Gates in the order i f g o.
// The products W x of a whole block are one matrix product; only U h is done row by row. Source: the
// definition in PyTorch's documentation of `nn.LSTM`.

internal import CKernels

/// Weights of one LSTM layer of equal input and output width.
package struct LSTMLayer: Sendable {
  package let width: Int
  private let inputs: Convolution
  private let recurrent: Convolution

  /// - Parameters:
  ///   - inputWeights: `weight_ih` (4 · width, width).
  ///   - recurrentWeights: `weight_hh` (4 · width, width).
  ///   - bias: `bias_ih + bias_hh` (4 · width).
  ///   - compact: keeps the weights in 16 bits, see `Convolution`.
  package init(
    inputWeights: [Float], recurrentWeights: [Float], bias: [Float], width: Int,
    compact: Bool = false
  ) {
    self.width = width
    inputs = Convolution(
      weights: inputWeights, bias: bias, inputChannels: width, outputChannels: 4 * width, taps: 1,
      compact: compact)
    recurrent = Convolution(
      weights: recurrentWeights, bias: [Float](repeating: 0, count: 4 * width),
      inputChannels: width, outputChannels: 4 * width, taps: 1, compact: compact)
  }

  /// Floats of workspace that `run` needs for `count` rows.
  package func workspaceCount(count: Int) -> Int { (count + 1) * 4 * width }

  /// Advances the layer by `count` rows.
  ///
  /// - Parameters:
  ///   - x: input rows (count, width).
  ///   - hidden: h (width), carried from call to call.
  ///   - cell: c (width), carried from call to call.
  ///   - y: receives h after each row (count, width).
  ///   - workspace: at least `workspaceCount(count:)` floats, overwritten.
  package func run(
    _ x: Span<Float>, count: Int, hidden: inout MutableSpan<Float>, cell: inout MutableSpan<Float>,
    into y: inout MutableSpan<Float>, workspace: inout MutableSpan<Float>, pool: ComputePool
  ) {
    precondition(
      hidden.count == width && cell.count == width && x.count >= count * width
        && y.count >= count * width && workspace.count >= workspaceCount(count: count),
      "shapes do not fit")
    let width = width
    unsafe workspace.withUnsafeMutableBufferPointer { workspace in
      guard let sums = workspace.baseAddress else { return }
      let gates = unsafe sums + count * 4 * width
      var none = unsafe MutableSpan<Float>(_unsafeStart: sums, count: 0)
      var all = unsafe MutableSpan(_unsafeStart: sums, count: count * 4 * width)
      inputs.apply(x, outputs: count, skip: Span(), into: &all, workspace: &none, pool: pool)
      for t in 0..<count {
        let sum = unsafe Span(
          _unsafeStart: UnsafePointer(sums + t * 4 * width), count: 4 * width)
        var gate = unsafe MutableSpan(_unsafeStart: gates, count: 4 * width)
        recurrent.apply(
          hidden.span, outputs: 1, skip: sum, into: &gate, workspace: &none, pool: pool)
        unsafe hidden.withUnsafeMutableBufferPointer { hidden in
          unsafe cell.withUnsafeMutableBufferPointer { cell in
            guard let hidden = hidden.baseAddress, let cell = cell.baseAddress else { return }
            unsafe continuo_lstm_cell(gates, width, hidden, cell)
          }
        }
        for i in 0..<width { y[t * width + i] = hidden[i] }
      }
    }
  }
}
