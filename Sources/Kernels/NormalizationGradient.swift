// Backward of layer normalisation; the forward is in Normalization.swift.
//
//   n = (x − mean) · r,  r = 1/√(variance + epsilon),  y = n · weight + bias
//   dn = dy · weight
//   dx = r · (dn − mean(dn) − n · mean(dn · n))
//   dWeight = Σ over rows of dy · n,   dBias = Σ over rows of dy
//
// The statistics are computed again from x: cheaper than keeping them.

import RealModule

/// Gradients of `layerNorm`.
///
/// - Parameters:
///   - x: the input of the forward pass (rows, width).
///   - weight: (width).
///   - dy: (rows, width).
///   - dx: has (rows, width) **added** to it: the residual connection's gradient is there already.
///   - dWeight: receives (width).
///   - dBias: receives (width).
package func layerNormGradient(
  _ x: Span<Float>, weight: Span<Float>, epsilon: Float, dy: Span<Float>,
  addingTo dx: inout MutableSpan<Float>, dWeight: inout MutableSpan<Float>,
  dBias: inout MutableSpan<Float>
) {
  let width = weight.count
  precondition(x.count == dy.count && dx.count == x.count && x.count % width == 0)
  precondition(dWeight.count == width && dBias.count == width)
  for i in 0..<width {
    dWeight[i] = 0
    dBias[i] = 0
  }
  let share = 1 / Float(width)
  for row in 0..<x.count / width {
    let start = row * width
    var sum: Float = 0
    for i in 0..<width { sum = unsafe Relaxed.sum(sum, x[unchecked: start + i]) }
    let mean = sum * share
    var squares: Float = 0
    for i in 0..<width {
      let centred = unsafe x[unchecked: start + i] - mean
      squares = Relaxed.multiplyAdd(centred, centred, squares)
    }
    let r = 1 / (squares * share + epsilon).squareRoot()
    var dnSum: Float = 0
    var dnDot: Float = 0
    for i in 0..<width {
      let n = unsafe (x[unchecked: start + i] - mean) * r
      let dyi = unsafe dy[unchecked: start + i]
      let dn = unsafe dyi * weight[unchecked: i]
      dnSum = Relaxed.sum(dnSum, dn)
      dnDot = Relaxed.multiplyAdd(dn, n, dnDot)
      unsafe dWeight[unchecked: i] += dyi * n
      unsafe dBias[unchecked: i] += dyi
    }
    let dnMean = dnSum * share
    let dnDotMean = dnDot * share
    for i in 0..<width {
      let n = unsafe (x[unchecked: start + i] - mean) * r
      let dn = unsafe dy[unchecked: start + i] * weight[unchecked: i]
      unsafe dx[unchecked: start + i] += r * (dn - dnMean - n * dnDotMean)
    }
  }
}
