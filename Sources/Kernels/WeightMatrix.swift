// A matrix of weights in one of its storage formats, and its product with a few columns.

internal import CKernels

/// How the numbers of a weight matrix are stored.
package enum WeightFormat: String, Sendable, CaseIterable, Codable {
  case f32, bf16, int8, int4
}

/// `rows` × `columns` weights, row-major: row r holds the weights of output r, as in a checkpoint.
///
/// Safe because the memory behind `base` is kept alive by `owner` and never written.
@safe package struct WeightMatrix: @unchecked Sendable {
  /// Outputs.
  package let rows: Int
  /// Inputs.
  package let columns: Int
  package let format: WeightFormat
  private let base: UnsafePointer<Float>
  private let owner: AnyObject?

  /// Wraps float32 weights that lie at `base` for as long as `owner` lives; nothing is copied.
  @unsafe package init(rows: Int, columns: Int, base: UnsafePointer<Float>, owner: AnyObject?) {
    self.rows = rows
    self.columns = columns
    self.format = .f32
    unsafe self.base = base
    self.owner = owner
  }

  /// Takes over float32 weights (rows, columns).
  package init(rows: Int, columns: Int, floats: consuming FloatBuffer) {
    precondition(floats.count == rows * columns, "shapes do not fit")
    let owner = FloatOwner(floats)
    unsafe self.init(rows: rows, columns: columns, base: owner.base, owner: owner)
  }

  /// The weights (columns) of output `index`, for float32 matrices.
  @_lifetime(borrow self) package func row(_ index: Int) -> Span<Float> {
    precondition(index >= 0 && index < rows && format == .f32, "row \(index) of \(rows), \(format)")
    let row = unsafe Span(_unsafeStart: base + index * columns, count: columns)
    return unsafe _overrideLifetime(row, borrowing: self)
  }

  /// Bytes that one product reads.
  package var bytes: Int { rows * columns * 4 }

  /// y = x Wᵀ for `count` columns of activations.
  ///
  /// - Parameters:
  ///   - x: activations (count, columns).
  ///   - count: how many vectors are multiplied in one pass over the weights, ≥ 1. The result of
  ///     each is the same bit for bit whatever the others are and however many there are.
  ///   - y: receives (count, rows).
  ///   - pool: the threads that share the rows.
  package func multiply(
    _ x: Span<Float>, count: Int, into y: inout MutableSpan<Float>, pool: ComputePool
  ) {
    precondition(x.count == count * columns && y.count == count * rows, "shapes do not fit")
    let (rows, columns) = (rows, columns)
    unsafe x.withUnsafeBufferPointer { x in
      unsafe y.withUnsafeMutableBufferPointer { y in
        let grain = 16
        pool.run(chunks: (rows + grain - 1) / grain) { chunk in
          for row in chunk * grain..<min(rows, (chunk + 1) * grain) {
            for index in 0..<count {
              unsafe y[index * rows + row] = continuo_dot_f32(
                base + row * columns, x.baseAddress! + index * columns, columns)
            }
          }
        }
      }
    }
  }

  /// y = x Wᵀ for many columns at once, through a matrix product: for prompts. Faster than `multiply`
  /// from some 16 columns on, but a column's result depends on how many there are (by rounding).
  ///
  /// Parameters as in `multiply`.
  package func multiplyMany(
    _ x: Span<Float>, count: Int, into y: inout MutableSpan<Float>, pool: ComputePool
  ) {
    precondition(x.count == count * columns && y.count == count * rows, "shapes do not fit")
    let weights = unsafe Span(_unsafeStart: base, count: rows * columns)
    matrixProduct(x, weights, transposeB: true, m: count, n: rows, k: columns, into: &y)
  }
}

/// Keeps a buffer alive for the matrix that reads it.
@safe private final class FloatOwner {
  private let buffer: FloatBuffer
  let base: UnsafePointer<Float>

  init(_ buffer: consuming FloatBuffer) {
    self.buffer = buffer
    unsafe base = UnsafePointer(self.buffer.baseAddress)
  }
}
