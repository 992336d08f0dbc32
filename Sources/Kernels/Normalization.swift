// Layer and root-mean-square normalisation of rows. The slow twins are in the tests.

internal import CKernels

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
  unsafe x.withUnsafeBufferPointer { x in
    unsafe y.withUnsafeMutableBufferPointer { y in
      unsafe weight.withUnsafeBufferPointer { weight in
        unsafe bias.withUnsafeBufferPointer { bias in
          guard let from = x.baseAddress, let to = y.baseAddress, let w = weight.baseAddress else {
            return
          }
          for row in 0..<x.count / width {
            unsafe continuo_layer_norm(
              from + row * width, w, bias.isEmpty ? nil : bias.baseAddress, width, epsilon,
              to + row * width)
          }
        }
      }
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
  unsafe x.withUnsafeBufferPointer { x in
    unsafe y.withUnsafeMutableBufferPointer { y in
      unsafe weight.withUnsafeBufferPointer { weight in
        guard let from = x.baseAddress, let to = y.baseAddress, let w = weight.baseAddress else {
          return
        }
        for row in 0..<x.count / width {
          unsafe continuo_rms_norm(from + row * width, w, width, epsilon, to + row * width)
        }
      }
    }
  }
}
