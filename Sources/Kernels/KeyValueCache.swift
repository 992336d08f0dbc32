// Keys and values of self-attention, and the attention over them.
//
// Every head of every layer has its keys and its values in one piece, in the order in which attention
// reads them: keys in tiles of sixteen positions, values position after position. The number of
// positions read grows by one per step; at 1,500 of them the cache is as large as a good part of the
// weights, hence the formats.

internal import CKernels

/// How keys and values are stored.
package enum CacheFormat: String, Sendable, CaseIterable, Codable {
  /// 4 bytes per number: exact.
  case f32
  /// 2 bytes per number, 11 significant bits.
  case f16
  /// 1 byte per number and a scale per position and head.
  case int8
}

/// Keys and values of every layer, C = heads · headDimension numbers each per position.
///
/// `length` positions are valid in every layer; a step first writes position `length …` of each layer
/// and then calls `advance`. Truncation only moves `length`.
///
/// Safe because the memory is private and every place in it is computed from checked positions.
@safe package struct KeyValueCache: ~Copyable, Sendable {
  package let layers: Int
  package let heads: Int
  package let headDimension: Int
  /// Positions that fit.
  package let capacity: Int
  package let format: CacheFormat
  /// Valid positions.
  package private(set) var length = 0
  private let memory: RawBuffer  // (L, H, headBytes)

  /// Makes room for `capacity` positions; memory is taken as positions are written.
  package init(
    layers: Int, heads: Int, headDimension: Int, capacity: Int, format: CacheFormat = .f32
  ) {
    precondition(layers > 0 && heads > 0 && headDimension > 0 && capacity > 0, "an empty cache")
    self.layers = layers
    self.heads = heads
    self.headDimension = headDimension
    self.capacity = capacity
    self.format = format
    memory = RawBuffer(
      bytes: layers * heads
        * Self.headBytes(headDimension: headDimension, capacity: capacity, format: format))
  }

  /// Forgets everything.
  package mutating func reset() { length = 0 }

  /// Keeps the first `length` positions. Never grows.
  package mutating func truncate(to length: Int) {
    precondition(
      length >= 0 && length <= self.length, "cannot truncate \(self.length) to \(length)")
    self.length = length
  }

  /// Declares `count` written positions valid, after all layers have stored theirs.
  package mutating func advance(by count: Int) {
    precondition(length + count <= capacity, "the cache holds \(capacity) positions")
    length += count
  }

  /// Bytes that attention reads in one step when `length` positions are valid, all layers together.
  package func bytesRead(length: Int) -> Int {
    let positions = (length + 15) / 16 * 16
    let scales = format == .int8 ? 8 : 0
    return layers * heads * positions
      * (2 * Self.padded(headDimension) * Self.elementBytes(format) + scales)
  }

  /// Stores the keys and values (count, C) of the positions `length ..< length + count` of `layer`.
  package mutating func store(
    keys newKeys: Span<Float>, values newValues: Span<Float>, count: Int, layer: Int
  ) {
    let width = heads * headDimension
    precondition(length + count <= capacity, "the cache holds \(capacity) positions")
    precondition(newKeys.count == count * width && newValues.count == count * width)
    precondition(layer >= 0 && layer < layers, "no layer \(layer)")
    unsafe newKeys.withUnsafeBufferPointer { keys in
      unsafe newValues.withUnsafeBufferPointer { values in
        guard let k = keys.baseAddress, let v = values.baseAddress else { return }
        for head in 0..<heads {
          let place = unsafe self.head(head, layer: layer)
          unsafe withUnsafePointer(to: place) {
            for index in 0..<count {
              let start = index * width + head * headDimension
              unsafe continuo_cache_store($0, length + index, k + start, v + start, headDimension)
            }
          }
        }
      }
    }
  }

  /// Causal attention of `count` new positions, already stored, over all positions up to each.
  ///
  /// The result of a position is the same bit for bit whatever the others are and however many there
  /// are.
  /// - Parameters:
  ///   - queries: (count, C), not yet scaled; the scale is 1/√headDimension.
  ///   - output: receives every head's output side by side (count, C): the z of METHOD 3.
  ///   - pool: the threads that share the heads.
  package func attend(
    queries: Span<Float>, count: Int, layer: Int, into output: inout MutableSpan<Float>,
    pool: ComputePool
  ) {
    precondition(length + count <= capacity, "the cache holds \(capacity) positions")
    attend(
      queries: queries, count: count, layer: layer, visible: length + 1, step: 1, into: &output,
      pool: pool)
  }

  /// Attention of `count` queries over all valid positions: text, or any sequence that is complete.
  ///
  /// Parameters as above; `length` must not be 0.
  package func attendAll(
    queries: Span<Float>, count: Int, layer: Int, into output: inout MutableSpan<Float>,
    pool: ComputePool
  ) {
    precondition(length > 0, "attention over nothing")
    attend(
      queries: queries, count: count, layer: layer, visible: length, step: 0, into: &output,
      pool: pool)
  }

  private func attend(
    queries: Span<Float>, count: Int, layer: Int, visible: Int, step: Int,
    into output: inout MutableSpan<Float>, pool: ComputePool
  ) {
    let width = heads * headDimension
    precondition(queries.count == count * width && output.count == count * width)
    precondition(layer >= 0 && layer < layers, "no layer \(layer)")
    let dimension = Self.padded(headDimension)
    let positions = (visible + step * (count - 1) + 15) / 16 * 16
    // Of each head: four scaled queries, four outputs, four rows of scores.
    let floats = 8 * dimension + 4 * positions
    let scratch = unsafe pool.scratch(bytes: heads * floats * 4)
      .assumingMemoryBound(to: Float.self)
    let scale = 1 / Float(headDimension).squareRoot()
    unsafe queries.withUnsafeBufferPointer { queries in
      unsafe output.withUnsafeMutableBufferPointer { output in
        guard let q = queries.baseAddress, let z = output.baseAddress else { return }
        pool.run(chunks: heads) { head in
          let place = unsafe self.head(head, layer: layer)
          unsafe withUnsafePointer(to: place) {
            unsafe continuo_attend(
              $0, q + head * headDimension, count, visible, step, width, headDimension, scale,
              scratch + head * floats, z + head * headDimension)
          }
        }
      }
    }
  }

  private static func padded(_ number: Int) -> Int { (number + 15) / 16 * 16 }

  private static func elementBytes(_ format: CacheFormat) -> Int {
    switch format {
    case .f32: 4
    case .f16: 2
    case .int8: 1
    }
  }

  private static func headBytes(headDimension: Int, capacity: Int, format: CacheFormat) -> Int {
    let positions = padded(capacity)
    let scales = format == .int8 ? 8 * positions : 0
    return (2 * positions * padded(headDimension) * elementBytes(format) + scales + 63) / 64 * 64
  }

  private func head(_ head: Int, layer: Int) -> continuo_head {
    let bytes = Self.headBytes(headDimension: headDimension, capacity: capacity, format: format)
    let base = unsafe memory.base + (layer * heads + head) * bytes
    let positions = Self.padded(capacity)
    let half = positions * Self.padded(headDimension) * Self.elementBytes(format)
    let scales = unsafe (base + 2 * half).assumingMemoryBound(to: Float.self)
    let code =
      switch format {
      case .f32: CONTINUO_CACHE_F32
      case .f16: CONTINUO_CACHE_F16
      case .int8: CONTINUO_CACHE_INT8
      }
    return unsafe continuo_head(
      keys: base, values: base + half, key_scale: scales, value_scale: scales + positions,
      dimension: Self.padded(headDimension), format: code)
  }
}
