// Element-wise activations, in place. The slow twins are in the tests.

internal import CKernels

/// x ← ½ x (1 + erf(x/√2)): the exact GELU, to 5e-7 (erf by Abramowitz and Stegun 7.1.26).
package func gelu(_ x: inout MutableSpan<Float>) {
  unsafe x.withUnsafeMutableBufferPointer { x in
    guard let start = x.baseAddress else { return }
    unsafe continuo_gelu(start, x.count)
  }
}

/// x ← max(x, 0).
package func relu(_ x: inout MutableSpan<Float>) {
  for i in 0..<x.count { x[i] = max(x[i], 0) }
}

/// x ← x for x > 0, eˣ − 1 else (ELU with α = 1).
package func elu(_ x: inout MutableSpan<Float>) {
  unsafe x.withUnsafeMutableBufferPointer { x in
    guard let start = x.baseAddress else { return }
    unsafe continuo_elu(start, x.count)
  }
}

/// y ← x for x > 0, eˣ − 1 else, shared among the threads of a pool.
///
/// - Parameters:
///   - x: any number of floats.
///   - y: receives as many; another place than `x`.
package func elu(_ x: Span<Float>, into y: inout MutableSpan<Float>, pool: ComputePool) {
  precondition(x.count <= y.count, "shapes do not fit")
  let count = x.count
  unsafe x.withUnsafeBufferPointer { x in
    unsafe y.withUnsafeMutableBufferPointer { y in
      guard let x = x.baseAddress, let y = y.baseAddress else { return }
      let part = 16_384
      pool.run(chunks: (count + part - 1) / part) { chunk in
        let start = chunk * part
        unsafe continuo_elu_copy(x + start, min(part, count - start), y + start)
      }
    }
  }
}

/// x ← 1 / (1 + e⁻ˣ).
package func sigmoid(_ x: inout MutableSpan<Float>) {
  unsafe x.withUnsafeMutableBufferPointer { x in
    guard let start = x.baseAddress else { return }
    unsafe continuo_sigmoid(start, x.count)
  }
}

/// x ← tanh x.
package func hyperbolicTangent(_ x: inout MutableSpan<Float>) {
  unsafe x.withUnsafeMutableBufferPointer { x in
    guard let start = x.baseAddress else { return }
    unsafe continuo_tanh(start, x.count)
  }
}

/// x ← eˣ / Σ eˣ over the whole span.
package func softmax(_ x: inout MutableSpan<Float>) {
  unsafe x.withUnsafeMutableBufferPointer { x in
    guard let start = x.baseAddress else { return }
    unsafe continuo_softmax(start, x.count)
  }
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
