// A matrix of weights in one of its storage formats, and its product with a few columns.

internal import CKernels

/// `rows` × `columns` weights: row r holds the weights of output r, as in a checkpoint.
///
/// Safe because the memory behind `base` has the layout's size, is kept alive by `owner`, and is never
/// written.
@safe package struct WeightMatrix: @unchecked Sendable {
  package let layout: WeightLayout
  private let base: UnsafeRawPointer
  private let owner: AnyObject?

  /// Outputs.
  package var rows: Int { layout.rows }
  /// Inputs.
  package var columns: Int { layout.columns }
  package var format: WeightFormat { layout.format }
  /// Bytes that one product reads.
  package var bytes: Int { layout.bytes }

  /// Wraps float32 weights that lie at `base` for as long as `owner` lives; nothing is copied.
  @unsafe package init(rows: Int, columns: Int, base: UnsafePointer<Float>, owner: AnyObject?) {
    layout = WeightLayout(rows: rows, columns: columns, format: .f32)
    unsafe self.base = UnsafeRawPointer(base)
    self.owner = owner
  }

  /// Takes over float32 weights (rows, columns).
  package init(rows: Int, columns: Int, floats: consuming FloatBuffer) {
    precondition(floats.count == rows * columns, "shapes do not fit")
    let owner = FloatOwner(floats)
    unsafe self.init(rows: rows, columns: columns, base: owner.base, owner: owner)
  }

  /// Wraps weights in any format that lie at `base`, `layout.bytes` of them, for as long as `owner`
  /// lives; nothing is copied. Weights in tiles of sixteen rows must be aligned to 64 bytes.
  @unsafe package init(layout: WeightLayout, base: UnsafeRawPointer, owner: AnyObject?) {
    let alignment = layout.tileRows == 16 ? 64 : 4
    precondition(UInt(bitPattern: base) % UInt(alignment) == 0, "weights are not aligned")
    self.layout = layout
    unsafe self.base = base
    self.owner = owner
  }

  /// Wraps weights that lie at byte `offset` of a buffer.
  package init(layout: WeightLayout, in buffer: RawBuffer, offset: Int = 0) {
    precondition(
      offset >= 0 && offset + layout.bytes <= buffer.bytes, "weights beyond the end of their buffer"
    )
    unsafe self.init(layout: layout, base: UnsafeRawPointer(buffer.base + offset), owner: buffer)
  }

  /// The bytes as they are stored, for writing them to a file.
  package func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try unsafe body(UnsafeRawBufferPointer(start: base, count: layout.bytes))
  }

  /// The weights (columns) of output `index`, for float32 matrices.
  @_lifetime(borrow self) package func row(_ index: Int) -> Span<Float> {
    precondition(index >= 0 && index < rows && format == .f32, "row \(index) of \(rows), \(format)")
    let start = unsafe (base + index * layout.tileBytes).assumingMemoryBound(to: Float.self)
    let row = unsafe Span(_unsafeStart: start, count: columns)
    return unsafe _overrideLifetime(row, borrowing: self)
  }

  /// y = x Wᵀ for `count` columns of activations.
  ///
  /// With quantised weights the activations are rounded to 8 bits per group first, and the sums inside
  /// a group are exact integers.
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
    unsafe x.withUnsafeBufferPointer { x in
      unsafe y.withUnsafeMutableBufferPointer { y in
        guard let from = x.baseAddress, let to = y.baseAddress else { return }
        let product = unsafe PreparedProduct(from, count: count, like: layout, pool: pool)
        let grain = self.grain
        pool.run(chunks: (rows + grain - 1) / grain) { chunk in
          unsafe compute(
            chunk * grain..<min(rows, (chunk + 1) * grain), of: product, into: to)
        }
      }
    }
  }

  /// y = x Wᵀ for many columns at once: for prompts. Float32 weights go through a matrix product, which
  /// is faster than `multiply` from some 16 columns on, but a column's result then depends on how many
  /// there are (by rounding); other formats are multiplied as by `multiply`.
  ///
  /// Parameters as in `multiply`.
  package func multiplyMany(
    _ x: Span<Float>, count: Int, into y: inout MutableSpan<Float>, pool: ComputePool
  ) {
    guard format == .f32 else { return multiply(x, count: count, into: &y, pool: pool) }
    precondition(x.count == count * columns && y.count == count * rows, "shapes do not fit")
    let start = unsafe base.assumingMemoryBound(to: Float.self)
    let weights = unsafe Span(_unsafeStart: start, count: rows * columns)
    matrixProduct(x, weights, transposeB: true, m: count, n: rows, k: columns, into: &y, pool: pool)
  }

  /// The products of three matrices with the same activations in one run of the pool: queries, keys
  /// and values. The matrices agree in columns, format and group; results as by `multiply`.
  package static func multiply(
    _ first: WeightMatrix, _ second: WeightMatrix, _ third: WeightMatrix, _ x: Span<Float>,
    count: Int, into y1: inout MutableSpan<Float>, _ y2: inout MutableSpan<Float>,
    _ y3: inout MutableSpan<Float>, pool: ComputePool
  ) {
    let (a, b) = (first.layout, [second.layout, third.layout])
    precondition(
      b.allSatisfy { $0.columns == a.columns && $0.format == a.format && $0.group == a.group }
        && x.count == count * a.columns && y1.count == count * first.rows
        && y2.count == count * second.rows && y3.count == count * third.rows, "shapes do not fit")
    unsafe x.withUnsafeBufferPointer { x in
      unsafe y1.withUnsafeMutableBufferPointer { y1 in
        unsafe y2.withUnsafeMutableBufferPointer { y2 in
          unsafe y3.withUnsafeMutableBufferPointer { y3 in
            guard let from = x.baseAddress, let to1 = y1.baseAddress, let to2 = y2.baseAddress,
              let to3 = y3.baseAddress
            else { return }
            let product = unsafe PreparedProduct(from, count: count, like: a, pool: pool)
            let grain = first.grain
            let chunks = (
              (first.rows + grain - 1) / grain, (second.rows + grain - 1) / grain,
              (third.rows + grain - 1) / grain
            )
            pool.run(chunks: chunks.0 + chunks.1 + chunks.2) { chunk in
              var part = chunk
              if part < chunks.0 {
                unsafe first.compute(
                  part * grain..<min(first.rows, (part + 1) * grain), of: product, into: to1)
                return
              }
              part -= chunks.0
              if part < chunks.1 {
                unsafe second.compute(
                  part * grain..<min(second.rows, (part + 1) * grain), of: product, into: to2)
                return
              }
              part -= chunks.1
              unsafe third.compute(
                part * grain..<min(third.rows, (part + 1) * grain), of: product, into: to3)
            }
          }
        }
      }
    }
  }

  /// Rows of one chunk: a multiple of 16, about 48 KB of weights, which one thread reads in a few
  /// microseconds. Borders do not matter to the results, since every row is summed by itself.
  private var grain: Int {
    let sixteen = layout.tileRows == 16 ? layout.tileBytes : 16 * layout.tileBytes
    return max(1, 49152 / sixteen) * 16
  }

  /// Computes `range` (which begins at a multiple of 16) of the outputs of every column.
  private func compute(
    _ range: Range<Int>, of product: PreparedProduct, into y: UnsafeMutablePointer<Float>
  ) {
    let weights = unsafe base + range.lowerBound / layout.tileRows * layout.tileBytes
    let target = unsafe y + range.lowerBound
    switch layout.format {
    case .f32:
      unsafe continuo_dense_f32(
        weights.assumingMemoryBound(to: Float.self), range.count, columns, product.x,
        product.count, target, rows)
    case .bf16:
      unsafe continuo_tiles_bf16(
        weights.assumingMemoryBound(to: UInt8.self), layout.tileBytes, range.count, columns,
        product.x, product.count, target, rows)
    case .int8:
      unsafe withUnsafePointer(to: product.activations) {
        unsafe continuo_tiles_int8(
          weights.assumingMemoryBound(to: UInt8.self), layout.tileBytes, range.count, $0,
          product.count, target, rows)
      }
    case .int4:
      unsafe withUnsafePointer(to: product.activations) {
        unsafe continuo_tiles_int4(
          weights.assumingMemoryBound(to: UInt8.self), layout.tileBytes, range.count, $0,
          product.count, target, rows)
      }
    }
  }

  /// Writes the weights of output `row` (columns) as floats: what the products stand for.
  package func decode(row: Int, into target: inout MutableSpan<Float>) {
    precondition(row >= 0 && row < rows && target.count == columns, "shapes do not fit")
    let tile = unsafe base + row / layout.tileRows * layout.tileBytes
    let lane = row % layout.tileRows
    func bfloat16(_ offset: Int) -> Float {
      let half = unsafe tile.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
      return Float(bitPattern: UInt32(half) << 16)
    }
    for i in 0..<columns {
      let (g, k) = (i / layout.group, i % layout.group)
      switch layout.format {
      case .f32: target[i] = unsafe tile.loadUnaligned(fromByteOffset: 4 * i, as: Float.self)
      case .bf16: target[i] = bfloat16(i / 2 * 64 + 4 * lane + 2 * (i % 2))
      case .int8:
        let start = g / 2 * (64 + 32 * layout.group)
        let scale = bfloat16(start + g % 2 * 32 + 2 * lane)
        let at = start + 64 + (g % 2 * layout.group + k) / 4 * 64 + lane * 4 + k % 4
        target[i] = unsafe scale * Float(Int(tile.load(fromByteOffset: at, as: UInt8.self)) - 128)
      case .int4:
        let start = g * (64 + 8 * layout.group)
        let at = start + 64 + k / 8 * 64 + lane * 4 + k % 4
        let byte = unsafe tile.load(fromByteOffset: at, as: UInt8.self)
        let value = k % 8 < 4 ? byte & 15 : byte >> 4
        target[i] = bfloat16(start + 2 * lane) * Float(value) + bfloat16(start + 32 + 2 * lane)
      }
    }
  }
}

/// The activations of one product: as they are, or rounded to 8 bits in the pool's scratch memory.
///
/// Safe because it lives only inside one call, whose operands it points to.
@safe private struct PreparedProduct {
  let x: UnsafePointer<Float>
  let count: Int
  var activations = unsafe continuo_activations()

  init(_ x: UnsafePointer<Float>, count: Int, like layout: WeightLayout, pool: ComputePool) {
    unsafe self.x = x
    self.count = count
    guard layout.group > 1 else { return }
    let groups = layout.groups
    let numbers = count * groups
    let memory = unsafe pool.scratch(bytes: numbers * (layout.group + 12))
    let floats = unsafe memory.assumingMemoryBound(to: Float.self)
    unsafe activations = continuo_activations(
      q: (memory + 12 * numbers).assumingMemoryBound(to: Int8.self), scale: floats,
      sum: floats + numbers, total: (memory + 8 * numbers).assumingMemoryBound(to: Int32.self),
      groups: groups, group: layout.group)
    for column in 0..<count {
      unsafe continuo_quantise_activations(
        x + column * layout.columns, layout.columns, column, &activations)
    }
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
