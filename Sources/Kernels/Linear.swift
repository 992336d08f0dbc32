// A linear layer over many rows at once, forward and backward.
//
//   y = x Wᵀ + b      x (rows, inputs), W (outputs, inputs) as in a checkpoint, y (rows, outputs)
//
// Backward functions write what they are named after; those that say `adding` add to it instead.
// Each call runs on one thread: callers run draws side by side.

/// y = x Wᵀ + b.
///
/// - Parameters:
///   - x: (rows, inputs).
///   - weight: (outputs, inputs).
///   - bias: (outputs), or empty for none.
///   - adding: adds to what is in `y` instead of replacing it (a residual connection).
///   - y: receives (rows, outputs).
package func linear(
  _ x: Span<Float>, weight: Span<Float>, bias: Span<Float> = Span(), rows: Int, inputs: Int,
  outputs: Int, adding: Bool = false, into y: inout MutableSpan<Float>
) {
  precondition(x.count >= rows * inputs && weight.count == inputs * outputs)
  precondition(y.count >= rows * outputs && (bias.isEmpty || bias.count == outputs))
  stridedProduct(
    x, Rows(stride: inputs), weight, Rows(stride: inputs), transposeB: true, m: rows, n: outputs,
    k: inputs, beta: adding ? 1 : 0, into: &y, Rows(stride: outputs))
  if bias.isEmpty { return }
  for row in 0..<rows {
    let start = row * outputs
    for o in 0..<outputs { unsafe y[unchecked: start + o] += bias[unchecked: o] }
  }
}

/// dx = dy W.
///
/// - Parameters:
///   - dy: (rows, outputs).
///   - weight: (outputs, inputs).
///   - adding: adds to what is in `dx`.
///   - dx: receives (rows, inputs).
package func linearInputGradient(
  _ dy: Span<Float>, weight: Span<Float>, rows: Int, inputs: Int, outputs: Int,
  adding: Bool = false, into dx: inout MutableSpan<Float>
) {
  stridedProduct(
    dy, Rows(stride: outputs), weight, Rows(stride: inputs), m: rows, n: inputs, k: outputs,
    beta: adding ? 1 : 0, into: &dx, Rows(stride: inputs))
}

/// dW = dyᵀ x.
///
/// - Parameters:
///   - dy: (rows, outputs).
///   - x: (rows, inputs).
///   - dWeight: receives (outputs, inputs).
package func linearWeightGradient(
  _ dy: Span<Float>, x: Span<Float>, rows: Int, inputs: Int, outputs: Int,
  into dWeight: inout MutableSpan<Float>
) {
  stridedProduct(
    dy, Rows(stride: outputs), transposeA: true, x, Rows(stride: inputs), m: outputs, n: inputs,
    k: rows, into: &dWeight, Rows(stride: inputs))
}

/// db = Σ over rows of dy: the gradient of a bias, or of anything that is added to every row.
///
/// - Parameters:
///   - dy: (rows, outputs).
///   - dBias: receives (outputs).
package func linearBiasGradient(
  _ dy: Span<Float>, rows: Int, outputs: Int, into dBias: inout MutableSpan<Float>
) {
  precondition(dy.count >= rows * outputs && dBias.count == outputs)
  for o in 0..<outputs { dBias[o] = 0 }
  for row in 0..<rows {
    let start = row * outputs
    for o in 0..<outputs { unsafe dBias[unchecked: o] += dy[unchecked: start + o] }
  }
}
