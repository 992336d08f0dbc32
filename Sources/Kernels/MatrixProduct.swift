// Products of large matrices, through OpenBLAS on one thread per call.
//
// OpenBLAS is held to one thread: threads are the pool's business, so that borders of work, and with
// them the results, do not depend on the number of cores.

internal import COpenBLAS

/// C = alpha · op(A) op(B) + beta · C, all row-major and dense.
///
/// Without a pool the calling thread computes alone. With one, the longer side of C is cut at borders
/// that depend on its shape alone, so the result is the same bit for bit with any number of threads (but
/// may differ from that without a pool in the last bits).
///
/// - Parameters:
///   - a: (m, k), or (k, m) when `transposeA`.
///   - b: (k, n), or (n, k) when `transposeB`.
///   - c: (m, n).
///   - pool: the threads that share the work; nil for none but the calling one.
package func matrixProduct(
  _ a: Span<Float>, transposeA: Bool = false, _ b: Span<Float>, transposeB: Bool = false,
  m: Int, n: Int, k: Int, alpha: Float = 1, beta: Float = 0, into c: inout MutableSpan<Float>,
  pool: ComputePool? = nil
) {
  precondition(a.count >= m * k && b.count >= k * n && c.count >= m * n, "shapes do not fit")
  unsafe a.withUnsafeBufferPointer { a in
    unsafe b.withUnsafeBufferPointer { b in
      unsafe c.withUnsafeMutableBufferPointer { c in
        guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else { return }
        let product = unsafe Product(
          a: a, b: b, c: c, transposeA: transposeA, transposeB: transposeB, m: m, n: n, k: k,
          alpha: alpha, beta: beta)
        guard let pool else {
          product.compute(rows: 0..<m, columns: 0..<n)
          return
        }
        let side = max(m, n)
        // Every chunk packs the other matrix anew, so blocks are not small; eight of them leave
        // little idle time at the end.
        let block = max(64, (side + 127) / 128 * 16)
        pool.run(chunks: (side + block - 1) / block) { chunk in
          let part = chunk * block..<min(side, (chunk + 1) * block)
          if m >= n {
            product.compute(rows: part, columns: 0..<n)
          } else {
            product.compute(rows: 0..<m, columns: part)
          }
        }
      }
    }
  }
}

/// One product with its operands.
///
/// Safe because it lives only inside the function above, which has checked every size.
@safe private struct Product {
  let a: UnsafePointer<Float>
  let b: UnsafePointer<Float>
  let c: UnsafeMutablePointer<Float>
  let transposeA: Bool
  let transposeB: Bool
  let (m, n, k): (Int, Int, Int)
  let alpha: Float
  let beta: Float

  init(
    a: UnsafePointer<Float>, b: UnsafePointer<Float>, c: UnsafeMutablePointer<Float>,
    transposeA: Bool, transposeB: Bool, m: Int, n: Int, k: Int, alpha: Float, beta: Float
  ) {
    unsafe self.a = a
    unsafe self.b = b
    unsafe self.c = c
    self.transposeA = transposeA
    self.transposeB = transposeB
    (self.m, self.n, self.k) = (m, n, k)
    self.alpha = alpha
    self.beta = beta
    _ = singleThreaded
  }

  /// Computes the given rows and columns of C.
  func compute(rows: Range<Int>, columns: Range<Int>) {
    guard !rows.isEmpty, !columns.isEmpty else { return }
    unsafe cblas_sgemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans,
      transposeB ? CblasTrans : CblasNoTrans, blasint(rows.count), blasint(columns.count),
      blasint(k), alpha, a + (transposeA ? rows.lowerBound : rows.lowerBound * k),
      blasint(transposeA ? m : k),
      b + (transposeB ? columns.lowerBound * k : columns.lowerBound),
      blasint(transposeB ? k : n), beta, c + rows.lowerBound * n + columns.lowerBound, blasint(n))
  }
}

/// Evaluated once, before the first product.
private let singleThreaded: Void = openblas_set_num_threads(1)
