// exp and erf on eight floats at a time: what softmax, SiLU and GELU over whole sequences spend
// their time in.
//
// exp: range reduction to ±ln2/2 and a polynomial of degree 6 (Cephes `expf`), within 2 units in the
// last place for −87 ≤ x ≤ 88; below that 0 to within 2e-38, above that the value at 88.
// erf: the rational approximation of Eigen's `generic_fast_erf_float` on ±4, absolute error < 5e-7.

typealias Vector = SIMD8<Float>

/// eˣ of each lane.
@inline(__always)
func exponential(_ x: Vector) -> Vector {
  let clamped = x.clamped(lowerBound: Vector(repeating: -87), upperBound: Vector(repeating: 88))
  // Adding 1.5 · 2²³ rounds to a whole number and leaves it in the low bits.
  let magic = Vector(repeating: 12_582_912)
  let shifted = clamped * 1.442_695_04 + magic
  let whole = shifted - magic
  let z = clamped - whole * 0.693_359_375 + whole * 2.121_944_4e-4
  var p = z * 1.987_569_15e-4 + 1.398_199_950_7e-3
  p = p * z + 8.333_451_907_3e-3
  p = p * z + 4.166_579_589_4e-2
  p = p * z + 1.666_666_545_9e-1
  p = p * z + 5.000_000_120_1e-1
  let value = p * z * z + z + 1
  let exponent =
    unsafe (unsafeBitCast(shifted, to: SIMD8<Int32>.self)
    &- unsafeBitCast(magic, to: SIMD8<Int32>.self)) &<< SIMD8<Int32>(repeating: 23)
  return unsafe unsafeBitCast(
    unsafeBitCast(value, to: SIMD8<Int32>.self) &+ exponent, to: Vector.self)
}

/// The error function of each lane.
@inline(__always)
func errorFunction(_ x: Vector) -> Vector {
  let t = x.clamped(lowerBound: Vector(repeating: -4), upperBound: Vector(repeating: 4))
  let s = t * t
  var a = s * -2.726_142_258_013_06e-10 + 2.770_681_424_959_02e-08
  a = a * s - 2.101_024_020_825_08e-06
  a = a * s - 5.692_506_394_623_46e-05
  a = a * s - 7.349_906_303_268_55e-04
  a = a * s - 2.954_599_808_540_25e-03
  a = a * s - 1.609_603_332_624_15e-02
  var b = s * -1.456_607_184_649_96e-05 - 2.133_740_552_789_05e-04
  b = b * s - 1.682_826_974_382_03e-03
  b = b * s - 7.373_329_167_204_68e-03
  b = b * s - 1.426_473_905_141_89e-02
  return t * a / b
}

/// y[i] = f(x[i]) for all i, eight lanes at a time; the last few go through the same arithmetic.
@inline(__always)
func mapVectors(_ x: Span<Float>, into y: inout MutableSpan<Float>, _ f: (Vector) -> Vector) {
  precondition(x.count == y.count, "spans of \(x.count) and \(y.count) floats")
  var i = 0
  while i + 8 <= x.count {
    unsafe y.storeVector(f(x.vector(i)), i)
    i += 8
  }
  if i < x.count {
    var last = Vector()
    for j in i..<x.count { last[j - i] = x[j] }
    let result = f(last)
    for j in i..<x.count { y[j] = result[j - i] }
  }
}

/// z[i] = f(x[i], y[i]) for all i, as `mapVectors`.
@inline(__always)
func mapVectors(
  _ x: Span<Float>, _ y: Span<Float>, into z: inout MutableSpan<Float>,
  _ f: (Vector, Vector) -> Vector
) {
  precondition(x.count == y.count && y.count == z.count, "spans of different sizes")
  var i = 0
  while i + 8 <= x.count {
    unsafe z.storeVector(f(x.vector(i), y.vector(i)), i)
    i += 8
  }
  if i < x.count {
    var first = Vector()
    var second = Vector()
    for j in i..<x.count {
      first[j - i] = x[j]
      second[j - i] = y[j]
    }
    let result = f(first, second)
    for j in i..<x.count { z[j] = result[j - i] }
  }
}

extension Span<Float> {
  /// The floats i ..< i + 8, which the caller has found to be inside.
  @inline(__always)
  @unsafe func vector(_ i: Int) -> Vector {
    unsafe withUnsafeBytes { bytes in
      unsafe bytes.loadUnaligned(fromByteOffset: i * 4, as: Vector.self)
    }
  }
}

extension MutableSpan<Float> {
  /// Writes the floats i ..< i + 8, which the caller has found to be inside.
  @inline(__always)
  @unsafe mutating func storeVector(_ value: Vector, _ i: Int) {
    unsafe withUnsafeMutableBytes { bytes in
      unsafe bytes.storeBytes(of: value, toByteOffset: i * 4, as: Vector.self)
    }
  }

  /// The floats i ..< i + 8, which the caller has found to be inside.
  @inline(__always)
  @unsafe func vector(_ i: Int) -> Vector {
    unsafe withUnsafeBytes { bytes in
      unsafe bytes.loadUnaligned(fromByteOffset: i * 4, as: Vector.self)
    }
  }
}
