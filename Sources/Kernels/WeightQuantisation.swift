// Choosing the bits of quantised weights, once, before they are used.
//
// 8 bits: symmetric, the scale is the group's largest size over 127.
// 4 bits: scale and offset of a group are searched so that the weighted squared error
// Σ hᵢ (wᵢ − (s qᵢ + o))² is least, where hᵢ is the mean square of activation i: the expected squared
// error of the output when activations are uncorrelated. Several shrunken ranges are tried; each
// gives whole numbers q, for which the best s and o follow from weighted least squares, twice in turn;
// s and o are rounded to bfloat16 before q is chosen for good. The search over ranges followed by least
// squares is that of llama.cpp's k-quants (make_qkx2_quants); weights and details are ours.

internal import CKernels

extension WeightMatrix {
  /// Converts a matrix into `format`.
  ///
  /// - Parameters:
  ///   - group: inputs that share a scale; the format's own when nil.
  ///   - importance: mean square of every input's activation (columns), all equal when nil.
  ///   - pool: the threads that share the rows; the result does not depend on them.
  ///   - row: writes row r (columns) as floats; called from several threads at a time.
  package static func converted(
    rows: Int, columns: Int, to format: WeightFormat, group: Int? = nil,
    importance: [Float]? = nil, pool: ComputePool, row: (Int, inout MutableSpan<Float>) -> Void
  ) -> WeightMatrix {
    let layout = WeightLayout(rows: rows, columns: columns, format: format, group: group)
    let buffer = RawBuffer(bytes: layout.bytes)
    convert(to: layout, in: buffer, offset: 0, importance: importance, pool: pool, row: row)
    return WeightMatrix(layout: layout, in: buffer)
  }

  /// Converts float32 weights (rows, columns) into `format`.
  package static func quantised(
    _ weights: Span<Float>, rows: Int, columns: Int, to format: WeightFormat, group: Int? = nil,
    importance: [Float]? = nil, pool: ComputePool
  ) -> WeightMatrix {
    precondition(weights.count == rows * columns, "shapes do not fit")
    return unsafe weights.withUnsafeBufferPointer { weights in
      converted(
        rows: rows, columns: columns, to: format, group: group, importance: importance, pool: pool
      ) { row, target in
        for i in 0..<columns { target[i] = unsafe weights[row * columns + i] }
      }
    }
  }

  /// Writes a matrix in the given layout at byte `offset` of a buffer, which nobody reads yet.
  package static func convert(
    to layout: WeightLayout, in buffer: RawBuffer, offset: Int, importance: [Float]? = nil,
    pool: ComputePool, row: (Int, inout MutableSpan<Float>) -> Void
  ) {
    precondition(
      offset >= 0 && offset % 64 == 0 && offset + layout.bytes <= buffer.bytes,
      "weights beyond the end of their buffer")
    precondition(importance == nil || importance?.count == layout.columns, "shapes do not fit")
    let base = unsafe buffer.base + offset
    let tiles = (layout.rows + layout.tileRows - 1) / layout.tileRows
    let together = layout.tileRows == 16 ? 1 : 16
    pool.run(chunks: (tiles + together - 1) / together) { chunk in
      var floats = FloatBuffer(count: layout.groups * layout.group)
      var weights = FloatBuffer(count: layout.groups * layout.group)
      for i in 0..<layout.columns {
        var all = weights.mutableSpan
        all[i] = importance.map { max($0[i], 1e-30) } ?? 1
      }
      for tile in chunk * together..<min(tiles, (chunk + 1) * together) {
        let writer = unsafe TileWriter(layout: layout, base: base + tile * layout.tileBytes)
        for lane in 0..<min(layout.tileRows, layout.rows - tile * layout.tileRows) {
          floats.clear()
          var target = floats.mutableSpan(0..<layout.columns)
          row(tile * layout.tileRows + lane, &target)
          writer.write(floats.span, importance: weights.span, lane: lane)
        }
      }
    }
  }
}

/// Writes rows into one tile.
///
/// Safe because it lives only inside `convert`, which has checked that the tile lies in its buffer.
@safe private struct TileWriter {
  let layout: WeightLayout
  let base: UnsafeMutableRawPointer

  init(layout: WeightLayout, base: UnsafeMutableRawPointer) {
    self.layout = layout
    unsafe self.base = base
  }

  /// Writes one row, padded with zeros to whole groups.
  func write(_ row: Span<Float>, importance: Span<Float>, lane: Int) {
    switch layout.format {
    case .f32:
      for i in 0..<layout.columns {
        unsafe base.storeBytes(of: row[i], toByteOffset: 4 * i, as: Float.self)
      }
    case .bf16:
      for i in 0..<layout.columns {
        let at = i / 2 * 64 + 4 * lane + 2 * (i % 2)
        unsafe base.storeBytes(of: bfloat16(row[i]), toByteOffset: at, as: UInt16.self)
      }
    case .int8:
      for g in 0..<layout.groups {
        let range = g * layout.group..<(g + 1) * layout.group
        writeInt8(row.extracting(range), group: g, lane: lane)
      }
    case .int4:
      for g in 0..<layout.groups {
        let range = g * layout.group..<(g + 1) * layout.group
        writeInt4(
          row.extracting(range), importance: importance.extracting(range), group: g, lane: lane)
      }
    }
  }

  private func writeInt8(_ part: Span<Float>, group g: Int, lane: Int) {
    let start = g / 2 * (64 + 32 * layout.group)
    unsafe part.withUnsafeBufferPointer { part in
      unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: layout.group) { codes in
        var scale: UInt16 = 0
        unsafe continuo_fit_int8(part.baseAddress!, layout.group, &scale, codes.baseAddress!)
        unsafe base.storeBytes(
          of: scale, toByteOffset: start + g % 2 * 32 + 2 * lane, as: UInt16.self)
        for k in stride(from: 0, to: layout.group, by: 4) {
          let four = unsafe UnsafeRawPointer(codes.baseAddress!).loadUnaligned(
            fromByteOffset: k, as: UInt32.self)
          let at = start + 64 + (g % 2 * layout.group + k) / 4 * 64 + lane * 4
          unsafe base.storeBytes(of: four, toByteOffset: at, as: UInt32.self)
        }
      }
    }
  }

  private func writeInt4(
    _ part: Span<Float>, importance: Span<Float>, group g: Int, lane: Int
  ) {
    let start = g * (64 + 8 * layout.group)
    unsafe part.withUnsafeBufferPointer { part in
      unsafe importance.withUnsafeBufferPointer { importance in
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: layout.group) { codes in
          var (scale, offset): (UInt16, UInt16) = (0, 0)
          unsafe continuo_fit_int4(
            part.baseAddress!, importance.baseAddress!, layout.group, &scale, &offset,
            codes.baseAddress!)
          unsafe base.storeBytes(of: scale, toByteOffset: start + 2 * lane, as: UInt16.self)
          unsafe base.storeBytes(of: offset, toByteOffset: start + 32 + 2 * lane, as: UInt16.self)
          for k in stride(from: 0, to: layout.group, by: 8) {
            let both = unsafe UnsafeRawPointer(codes.baseAddress!).loadUnaligned(
              fromByteOffset: k, as: UInt64.self)
            let (low, high) = (UInt32(truncatingIfNeeded: both), UInt32(both >> 32))
            unsafe base.storeBytes(
              of: low | high << 4, toByteOffset: start + 64 + k / 8 * 64 + lane * 4,
              as: UInt32.self)
          }
        }
      }
    }
  }
}

/// The nearest bfloat16, ties to even; infinities and NaN are kept.
func bfloat16(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
  return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
}
