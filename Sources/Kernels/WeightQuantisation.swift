// Choosing the bits of quantised weights, once, before they are used.
//
// 8 bits: symmetric, the scale is the group's largest size over 127.
// 4 bits: scale and offset of a group are searched so that the weighted squared error
// Σ hᵢ (wᵢ − (s qᵢ + o))² is least, where hᵢ is the mean square of activation i: the expected squared
// error of the output when activations are uncorrelated. Several shrunken ranges are tried; each
// gives whole numbers q, for which the best s and o follow from weighted least squares, twice in turn;
// s and o are rounded to bfloat16 before q is chosen for good. The search over ranges followed by least
// squares is that of llama.cpp's k-quants (make_qkx2_quants); weights and details are ours.

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
        unsafe base.storeBytes(of: bfloat16(row[i]), toByteOffset: 2 * i, as: UInt16.self)
      }
    case .int8:
      for g in 0..<layout.groups { writeInt8(row, group: g, lane: lane) }
    case .int4:
      for g in 0..<layout.groups {
        let range = g * layout.group..<(g + 1) * layout.group
        let best = GroupOfFour.best(
          row.extracting(range), importance: importance.extracting(range))
        writeInt4(best, row.extracting(range), group: g, lane: lane)
      }
    }
  }

  private func writeInt8(_ row: Span<Float>, group g: Int, lane: Int) {
    var largest: Float = 0
    for k in 0..<layout.group { largest = max(largest, abs(row[g * layout.group + k])) }
    // Rounded up, so that the largest weight stays within 127.
    var bits = UInt16(truncatingIfNeeded: (largest / 127).bitPattern >> 16)
    if Float(bitPattern: UInt32(bits) << 16) * 127 < largest { bits += 1 }
    let scale = Float(bitPattern: UInt32(bits) << 16)
    let inverse = scale > 0 ? 1 / scale : 0
    let start = g / 2 * (64 + 32 * layout.group)
    unsafe base.storeBytes(of: bits, toByteOffset: start + g % 2 * 32 + 2 * lane, as: UInt16.self)
    for k in 0..<layout.group {
      let q = (row[g * layout.group + k] * inverse).rounded(.toNearestOrEven)
      let byte = UInt8(Int(min(max(q, -127), 127)) + 128)
      let at = start + 64 + (g % 2 * layout.group + k) / 4 * 64 + lane * 4 + k % 4
      unsafe base.storeBytes(of: byte, toByteOffset: at, as: UInt8.self)
    }
  }

  private func writeInt4(_ best: GroupOfFour, _ part: Span<Float>, group g: Int, lane: Int) {
    let start = g * (64 + 8 * layout.group)
    unsafe base.storeBytes(
      of: bfloat16(best.scale), toByteOffset: start + 2 * lane, as: UInt16.self)
    unsafe base.storeBytes(
      of: bfloat16(best.offset), toByteOffset: start + 32 + 2 * lane, as: UInt16.self)
    for k in 0..<layout.group {
      let value = UInt8(best.code(part[k]))
      let at = start + 64 + k / 8 * 64 + lane * 4 + k % 4
      let old = unsafe base.load(fromByteOffset: at, as: UInt8.self)
      unsafe base.storeBytes(
        of: k % 8 < 4 ? old & 0xF0 | value : old & 0x0F | value << 4, toByteOffset: at,
        as: UInt8.self)
    }
  }
}

/// Scale and offset of a group of 4-bit weights: weight ≈ scale · code + offset, code 0 … 15.
struct GroupOfFour {
  var scale: Float
  var offset: Float

  /// The nearest code.
  func code(_ weight: Float) -> Float {
    guard scale != 0 else { return 0 }
    return min(max(((weight - offset) / scale).rounded(.toNearestOrEven), 0), 15)
  }

  /// Σ h (w − decoded)².
  func error(_ part: Span<Float>, importance: Span<Float>) -> Float {
    let (inverse, start) = scale == 0 ? (0, 0) : (1 / scale, -offset / scale)
    var total = SIMD16<Float>(repeating: 0)
    for first in stride(from: 0, to: part.count, by: 16) {
      let (w, h) = (sixteen(part, first), sixteen(importance, first))
      let q = codes(w, inverse: inverse, start: start)
      let lost = w - (q * scale + offset)
      total += h * lost * lost
    }
    return total.sum()
  }

  /// The pair of best error among the ranges that are tried.
  static func best(_ part: Span<Float>, importance: Span<Float>) -> GroupOfFour {
    var (lowest, highest) = (part[0], part[0])
    for k in 1..<part.count {
      lowest = min(lowest, part[k])
      highest = max(highest, part[k])
    }
    guard highest > lowest else { return GroupOfFour(scale: 0, offset: lowest).rounded }
    let range = highest - lowest
    var best = GroupOfFour(scale: range / 15, offset: lowest).rounded
    var least = best.error(part, importance: importance)
    for step in 0..<16 {
      // The range shrinks around its middle by up to 30 %: the few weights outside are clipped.
      let shrink = Float(step) * 0.02
      var trial = GroupOfFour(
        scale: range * (1 - shrink) / 15, offset: lowest + range * shrink / 2)
      for _ in 0..<2 {
        trial = trial.refitted(part, importance: importance)
        let rounded = trial.rounded
        let error = rounded.error(part, importance: importance)
        if error < least { (best, least) = (rounded, error) }
      }
    }
    return best
  }

  /// The pair that fits best, by weighted least squares, the codes that this one gives.
  private func refitted(_ part: Span<Float>, importance: Span<Float>) -> GroupOfFour {
    guard scale != 0 else { return self }
    let (inverse, start) = (1 / scale, -offset / scale)
    var sums = (
      h: SIMD16<Float>(repeating: 0), q: SIMD16<Float>(repeating: 0),
      qq: SIMD16<Float>(repeating: 0), w: SIMD16<Float>(repeating: 0),
      qw: SIMD16<Float>(repeating: 0)
    )
    for first in stride(from: 0, to: part.count, by: 16) {
      let (w, h) = (sixteen(part, first), sixteen(importance, first))
      let q = codes(w, inverse: inverse, start: start)
      sums.h += h
      sums.q += h * q
      sums.qq += h * q * q
      sums.w += h * w
      sums.qw += h * q * w
    }
    let (h, q, qq) = (sums.h.sum(), sums.q.sum(), sums.qq.sum())
    let (w, qw) = (sums.w.sum(), sums.qw.sum())
    let determinant = h * qq - q * q
    guard determinant > 1e-6 * h * qq else { return self }
    return GroupOfFour(
      scale: (h * qw - q * w) / determinant, offset: (qq * w - q * qw) / determinant)
  }

  /// Both numbers as they are stored.
  private var rounded: GroupOfFour {
    GroupOfFour(
      scale: Float(bitPattern: UInt32(bfloat16(scale)) << 16),
      offset: Float(bitPattern: UInt32(bfloat16(offset)) << 16))
  }

  private func codes(_ w: SIMD16<Float>, inverse: Float, start: Float) -> SIMD16<Float> {
    let position = (w * inverse + start).rounded(.toNearestOrEven)
    return position.clamped(
      lowerBound: SIMD16(repeating: 0), upperBound: SIMD16(repeating: 15))
  }
}

@inline(__always) private func sixteen(_ span: Span<Float>, _ first: Int) -> SIMD16<Float> {
  unsafe span.withUnsafeBytes {
    unsafe $0.loadUnaligned(fromByteOffset: first * 4, as: SIMD16<Float>.self)
  }
}

/// The nearest bfloat16, ties to even; infinities and NaN are kept.
func bfloat16(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
  return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
}
