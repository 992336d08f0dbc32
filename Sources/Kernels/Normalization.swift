// Layer and root-mean-square normalisation of rows.

/// y = (x − mean) / √(variance + epsilon) · weight + bias, row by row (biased variance).
///
/// - Parameters:
///   - x: (rows, width); the number of rows follows from the sizes.
///   - weight: (width).
///   - bias: (width), or empty for none.
///   - y: receives (rows, width).
package func layerNorm(
  _ x: Span<Float>, weight: Span<Float>, bias: Span<Float>, epsilon: Float,
  into y: inout MutableSpan<Float>
) {
  let width = weight.count
  precondition(x.count == y.count && x.count % width == 0 && (bias.isEmpty || bias.count == width))
  for row in 0..<x.count / width {
    let start = row * width
    var sum: Float = 0
    for i in 0..<width { sum += x[start + i] }
    let mean = sum / Float(width)
    var squares: Float = 0
    for i in 0..<width {
      let centred = x[start + i] - mean
      squares += centred * centred
    }
    let scale = 1 / (squares / Float(width) + epsilon).squareRoot()
    for i in 0..<width {
      let normal = (x[start + i] - mean) * scale * weight[i]
      y[start + i] = bias.isEmpty ? normal : normal + bias[i]
    }
  }
}

/// y = x / √(mean(x²) + epsilon) · weight, row by row: T5's layer norm.
///
/// - Parameters:
///   - x: (rows, width).
///   - weight: (width).
///   - y: receives (rows, width).
package func rmsNorm(
  _ x: Span<Float>, weight: Span<Float>, epsilon: Float, into y: inout MutableSpan<Float>
) {
  let width = weight.count
  precondition(x.count == y.count && x.count % width == 0)
  for row in 0..<x.count / width {
    let start = row * width
    var squares: Float = 0
    for i in 0..<width { squares += x[start + i] * x[start + i] }
    let scale = 1 / (squares / Float(width) + epsilon).squareRoot()
    for i in 0..<width { y[start + i] = x[start + i] * scale * weight[i] }
  }
}
