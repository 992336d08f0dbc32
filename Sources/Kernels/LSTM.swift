// A long short-term memory layer, run over blocks of rows.
//
// i, f, o = σ(…), g = tanh(…) of W x + U h + b;  c ← f c + i g;  h ← o tanh c. Gates in the order i f g o.
// The products W x of a whole block are one matrix product; only U h is done row by row. Source: the
// definition in PyTorch's documentation of `nn.LSTM`.

/// Weights of one LSTM layer of equal input and output width.
package struct LSTMLayer: Sendable {
  package let width: Int
  private let inputs: Convolution
  private let recurrentWeights: ConstantFloats  // (4 · width, width)
  private let recurrent: WeightMatrix

  /// - Parameters:
  ///   - inputWeights: `weight_ih` (4 · width, width).
  ///   - recurrentWeights: `weight_hh` (4 · width, width).
  ///   - bias: `bias_ih + bias_hh` (4 · width).
  package init(inputWeights: [Float], recurrentWeights: [Float], bias: [Float], width: Int) {
    precondition(recurrentWeights.count == 4 * width * width, "shapes do not fit")
    self.width = width
    inputs = Convolution(
      weights: inputWeights, bias: bias, inputChannels: width, outputChannels: 4 * width, taps: 1)
    self.recurrentWeights = ConstantFloats(recurrentWeights)
    recurrent = unsafe WeightMatrix(
      rows: 4 * width, columns: width, base: self.recurrentWeights.base,
      owner: self.recurrentWeights)
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
    let gateCount = 4 * width
    unsafe workspace.withUnsafeMutableBufferPointer { workspace in
      var gates = unsafe MutableSpan(_unsafeStart: workspace.baseAddress!, count: count * gateCount)
      var none = unsafe MutableSpan<Float>(_unsafeStart: workspace.baseAddress!, count: 0)
      inputs.apply(
        x, outputs: count, skip: Span(), into: &gates, workspace: &none, pool: pool)
      let products = unsafe workspace.baseAddress! + count * gateCount
      for t in 0..<count {
        var uh = unsafe MutableSpan(_unsafeStart: products, count: gateCount)
        recurrent.multiply(hidden.span, count: 1, into: &uh, pool: pool)
        unsafe hidden.withUnsafeMutableBufferPointer { hidden in
          unsafe cell.withUnsafeMutableBufferPointer { cell in
            unsafe Self.cellUpdate(
              gates: workspace.baseAddress! + t * gateCount, products: products,
              hidden: hidden.baseAddress!, cell: cell.baseAddress!, width: width)
          }
        }
        for i in 0..<width { y[t * width + i] = hidden[i] }
      }
    }
  }

  /// c ← σ(f) c + σ(i) tanh(g), h ← σ(o) tanh(c), with each gate the sum of its two products.
  @unsafe private static func cellUpdate(
    gates: UnsafePointer<Float>, products: UnsafePointer<Float>,
    hidden: UnsafeMutablePointer<Float>, cell: UnsafeMutablePointer<Float>, width: Int
  ) {
    var start = 0
    while start < width {
      let lanes = min(8, width - start)
      func gate(_ index: Int) -> SIMD8<Float> {
        var sum = SIMD8<Float>(repeating: 0)
        let at = index * width + start
        for lane in 0..<lanes { sum[lane] = unsafe gates[at + lane] + products[at + lane] }
        return sum
      }
      var old = SIMD8<Float>(repeating: 0)
      for lane in 0..<lanes { old[lane] = unsafe cell[start + lane] }
      let new = logistic(gate(1)) * old + logistic(gate(0)) * hyperbolicTangent(gate(2))
      let out = logistic(gate(3)) * hyperbolicTangent(new)
      for lane in 0..<lanes {
        unsafe cell[start + lane] = new[lane]
        unsafe hidden[start + lane] = out[lane]
      }
      start += lanes
    }
  }
}
