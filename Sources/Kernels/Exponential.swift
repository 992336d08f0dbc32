// Exponentials of eight numbers at a time.
//
// eˣ = 2ⁿ eʳ with n = round(x / ln 2) and |r| ≤ ½ ln 2, where eʳ − 1 is its Taylor polynomial of degree
// seven (remainder below 6e-9). Ours; relative error about 1e-7.

/// The integer and fractional part of the exponent: 2ⁿ, and eʳ − 1.
@inline(__always)
private func split(_ x: SIMD8<Float>) -> (power: SIMD8<Float>, rest: SIMD8<Float>) {
  let magic: Float = 12_582_912  // 1.5 · 2²³: adding it rounds to an integer kept in the low bits
  let shifted = x * 1.442_695 + magic
  let n = shifted - magic
  let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4
  let bits = SIMD8<UInt32>(truncatingIfNeeded: unsafe unsafeBitCast(shifted, to: SIMD8<Int32>.self))
  let power = unsafe unsafeBitCast((bits &+ 127) &<< 23, to: SIMD8<Float>.self)
  var p = r * 1.984_127e-4 + 1.388_888_9e-3
  p = p * r + 8.333_333e-3
  p = p * r + 4.166_666_7e-2
  p = p * r + 0.166_666_67
  p = p * r + 0.5
  return (power, p * r * r + r)
}

/// eˣ − 1, exact in relative terms near 0 too. Clamped to −87 … 88.
@inline(__always)
func exponentialMinusOne(_ x: SIMD8<Float>) -> SIMD8<Float> {
  let bounded = x.clamped(
    lowerBound: SIMD8(repeating: -87), upperBound: SIMD8(repeating: 88))
  let (power, rest) = split(bounded)
  return power * rest + (power - 1)
}

/// 1 / (1 + e⁻ˣ).
@inline(__always)
func logistic(_ x: SIMD8<Float>) -> SIMD8<Float> {
  1 / (2 + exponentialMinusOne(-x))
}

/// tanh x = e / (e + 2) with e = e²ˣ − 1.
@inline(__always)
func hyperbolicTangent(_ x: SIMD8<Float>) -> SIMD8<Float> {
  let bounded = x.clamped(lowerBound: SIMD8(repeating: -20), upperBound: SIMD8(repeating: 20))
  let e = exponentialMinusOne(bounded + bounded)
  return e / (e + 2)
}

/// x for x > 0, eˣ − 1 else, of `count` floats, from `x` into `y`, which may be the same place.
@unsafe func elu(
  _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, count: Int
) {
  let wide = unsafe UnsafeRawPointer(x)
  let target = UnsafeMutableRawPointer(y)
  var i = 0
  while i + 8 <= count {
    let v = unsafe wide.loadUnaligned(fromByteOffset: 4 * i, as: SIMD8<Float>.self)
    let low = exponentialMinusOne(pointwiseMin(v, SIMD8(repeating: 0)))
    unsafe target.storeBytes(
      of: v.replacing(with: low, where: v .<= 0), toByteOffset: 4 * i, as: SIMD8<Float>.self)
    i += 8
  }
  if i < count {
    var v = SIMD8<Float>(repeating: 0)
    for j in i..<count { v[j - i] = unsafe x[j] }
    let low = exponentialMinusOne(pointwiseMin(v, SIMD8(repeating: 0)))
    for j in i..<count { unsafe y[j] = v[j - i] > 0 ? v[j - i] : low[j - i] }
  }
}

/// y ← x for x > 0, eˣ − 1 else (ELU with α = 1), shared among the threads of `pool`.
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
      let part = 8192
      pool.run(chunks: (count + part - 1) / part) { chunk in
        let start = chunk * part
        unsafe elu(x + start, into: y + start, count: min(part, count - start))
      }
    }
  }
}
