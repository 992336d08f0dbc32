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
