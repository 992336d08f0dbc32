// Products of matrices that lie inside larger ones: a head's columns, a part of a fused projection.

internal import COpenBLAS

/// Where the rows of a matrix lie inside a span: row r starts at `offset + r · stride`.
package struct Rows: Sendable, Equatable {
  package var offset: Int
  package var stride: Int

  package init(offset: Int = 0, stride: Int) {
    self.offset = offset
    self.stride = stride
  }

  /// The same rows, seen `columns` further to the right.
  package func shifted(_ columns: Int) -> Rows { Rows(offset: offset + columns, stride: stride) }

  /// The same columns, from row `row` on.
  package func from(row: Int) -> Rows { Rows(offset: offset + row * stride, stride: stride) }

  /// Floats that `rows` rows of `columns` reach over.
  package func end(rows: Int, columns: Int) -> Int {
    rows == 0 ? offset : offset + (rows - 1) * stride + columns
  }
}

/// C = alpha · op(A) op(B) + beta · C on one thread, each matrix given by its rows in a span.
///
/// - Parameters:
///   - a: rows of the stored A: (m, k), or (k, m) when `transposeA`.
///   - b: rows of the stored B: (k, n), or (n, k) when `transposeB`.
///   - c: rows of C (m, n).
package func stridedProduct(
  _ a: Span<Float>, _ aRows: Rows, transposeA: Bool = false,
  _ b: Span<Float>, _ bRows: Rows, transposeB: Bool = false,
  m: Int, n: Int, k: Int, alpha: Float = 1, beta: Float = 0,
  into c: inout MutableSpan<Float>, _ cRows: Rows
) {
  if m == 0 || n == 0 { return }
  let aEnd = aRows.end(rows: transposeA ? k : m, columns: transposeA ? m : k)
  let bEnd = bRows.end(rows: transposeB ? n : k, columns: transposeB ? k : n)
  precondition(
    a.count >= aEnd && b.count >= bEnd && c.count >= cRows.end(rows: m, columns: n),
    "shapes do not fit")
  holdBLASToOneThread()
  unsafe a.withUnsafeBufferPointer { a in
    unsafe b.withUnsafeBufferPointer { b in
      unsafe c.withUnsafeMutableBufferPointer { c in
        // Inside the spans by the precondition above.
        unsafe cblas_sgemm(
          CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans,
          transposeB ? CblasTrans : CblasNoTrans, blasint(m), blasint(n), blasint(k), alpha,
          a.baseAddress! + aRows.offset, blasint(aRows.stride),
          b.baseAddress! + bRows.offset, blasint(bRows.stride), beta,
          c.baseAddress! + cRows.offset, blasint(cRows.stride))
      }
    }
  }
}

private func holdBLASToOneThread() { _ = oneThread }

/// Evaluated once, before the first product.
private let oneThread: Void = openblas_set_num_threads(1)
