// Products of large matrices, through OpenBLAS on one thread per call.

internal import COpenBLAS

/// C = alpha · op(A) op(B) + beta · C, all row-major and dense.
///
/// OpenBLAS is held to one thread: threads are the pool's business, so that borders of work, and with
/// them the results, do not depend on the number of cores.
/// - Parameters:
///   - a: (m, k), or (k, m) when `transposeA`.
///   - b: (k, n), or (n, k) when `transposeB`.
///   - c: (m, n).
package func matrixProduct(
  _ a: Span<Float>, transposeA: Bool = false, _ b: Span<Float>, transposeB: Bool = false,
  m: Int, n: Int, k: Int, alpha: Float = 1, beta: Float = 0, into c: inout MutableSpan<Float>
) {
  precondition(a.count >= m * k && b.count >= k * n && c.count >= m * n, "shapes do not fit")
  _ = singleThreaded
  unsafe a.withUnsafeBufferPointer { a in
    unsafe b.withUnsafeBufferPointer { b in
      unsafe c.withUnsafeMutableBufferPointer { c in
        unsafe cblas_sgemm(
          CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans,
          transposeB ? CblasTrans : CblasNoTrans, blasint(m), blasint(n), blasint(k), alpha,
          a.baseAddress, blasint(transposeA ? m : k), b.baseAddress,
          blasint(transposeB ? k : n), beta, c.baseAddress, blasint(n))
      }
    }
  }
}

/// Evaluated once, before the first product.
private let singleThreaded: Void = openblas_set_num_threads(1)
