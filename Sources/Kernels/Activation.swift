// Element-wise activations.

import RealModule

/// x ← ½ x (1 + erf(x/√2)): the exact GELU.
package func gelu(_ x: inout MutableSpan<Float>) {
  for i in 0..<x.count { x[i] = 0.5 * x[i] * (1 + Float.erf(x[i] * 0.707_106_77)) }
}

/// x ← max(x, 0).
package func relu(_ x: inout MutableSpan<Float>) {
  for i in 0..<x.count { x[i] = max(x[i], 0) }
}

/// x ← x for x > 0, eˣ − 1 else (ELU with α = 1).
package func elu(_ x: inout MutableSpan<Float>) {
  for i in 0..<x.count where x[i] < 0 { x[i] = Float.expMinusOne(x[i]) }
}

/// x ← eˣ / Σ eˣ over the whole span.
package func softmax(_ x: inout MutableSpan<Float>) {
  var largest = -Float.infinity
  for i in 0..<x.count { largest = max(largest, x[i]) }
  var total: Float = 0
  for i in 0..<x.count {
    x[i] = Float.exp(x[i] - largest)
    total += x[i]
  }
  let scale = 1 / total
  for i in 0..<x.count { x[i] *= scale }
}

/// y[start …] += scale · x.
package func accumulate(
  _ x: Span<Float>, scale: Float = 1, into y: inout MutableSpan<Float>, at start: Int = 0
) {
  precondition(start >= 0 && start + x.count <= y.count, "\(x.count) floats do not fit")
  for i in 0..<x.count { y[start + i] += scale * x[i] }
}

/// Index of the first value that is infinite or not a number.
package func firstNonFinite(_ x: Span<Float>) -> Int? {
  let block = 4096
  var start = 0
  while start < x.count {
    let end = min(start + block, x.count)
    var sum: SIMD16<Float> = .zero
    var i = start
    while i + 16 <= end {
      let values = unsafe x.bytes.unsafeLoadUnaligned(fromByteOffset: 4 * i, as: SIMD16<Float>.self)
      sum += values * 0
      i += 16
    }
    var isFinite = sum == .zero
    while i < end {
      isFinite = isFinite && x[i].isFinite
      i += 1
    }
    if !isFinite {
      for i in start..<end where !x[i].isFinite { return i }
    }
    start = end
  }
  return nil
}
