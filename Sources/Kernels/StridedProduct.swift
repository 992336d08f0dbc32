// OpenBLAS products whose rows lie further apart than they are wide: windows over a signal, and
// parts of larger matrices. Internal to the kernels, which own the pointers.

internal import COpenBLAS

/// C += A Bᵀ with rows `lda`, `ldb` and `ldc` floats apart.
///
/// - Parameters:
///   - a: (m, k), `lda` ≥ k.
///   - b: (n, k), `ldb` ≥ k: one row of weights per output.
///   - c: (m, n), `ldc` ≥ n.
@unsafe func accumulateProduct(
  m: Int, n: Int, k: Int, _ a: UnsafePointer<Float>, lda: Int, _ b: UnsafePointer<Float>, ldb: Int,
  into c: UnsafeMutablePointer<Float>, ldc: Int
) {
  _ = oneThreadPerCall
  if n == 1 {
    unsafe cblas_sgemv(
      CblasRowMajor, CblasNoTrans, blasint(m), blasint(k), 1, a, blasint(lda), b, 1, 1, c,
      blasint(ldc))
  } else {
    unsafe cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, blasint(m), blasint(n), blasint(k), 1, a,
      blasint(lda), b, blasint(ldb), 1, c, blasint(ldc))
  }
}

/// Evaluated once, before the first product: threads are the pool's business.
private let oneThreadPerCall: Void = openblas_set_num_threads(1)
