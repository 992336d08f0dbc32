// Attention of a whole sequence, forward and backward, in matrix products.
//
// For each head:  P = softmax(scale · Q Kᵀ)   z = P V
//   dV += Pᵀ dz     dP = dz Vᵀ     dS = P ∘ (dP − rowsum(dP ∘ P))
//   dQ = scale · dS K     dK += scale · dSᵀ Q
//
// P is computed again in the backward pass instead of kept: it would be the largest buffer by far.
// Queries go in blocks of 128 rows, so that the scratch stays small and causal attention skips most
// of what it may not see.

import RealModule

/// The sizes of one attention.
package struct AttentionShape: Sendable, Equatable {
  /// Query positions T.
  package let queries: Int
  /// Key and value positions S; equal to T in self-attention.
  package let keys: Int
  /// Query heads H.
  package let heads: Int
  /// Key and value heads; a divisor of H, each serving H / keyHeads neighbouring query heads.
  package let keyHeads: Int
  /// Dimensions D of one head.
  package let dimension: Int
  /// Position t sees keys 0 … t only.
  package let isCausal: Bool

  package init(
    queries: Int, keys: Int, heads: Int, keyHeads: Int, dimension: Int, isCausal: Bool
  ) {
    precondition(keyHeads > 0 && heads % keyHeads == 0, "\(heads) heads over \(keyHeads)")
    precondition(!isCausal || queries == keys, "causal attention is self-attention")
    self.queries = queries
    self.keys = keys
    self.heads = heads
    self.keyHeads = keyHeads
    self.dimension = dimension
    self.isCausal = isCausal
  }

  /// Width of queries and outputs: H · D.
  package var width: Int { heads * dimension }
  /// Width of keys or values: keyHeads · D.
  package var keyWidth: Int { keyHeads * dimension }
  /// Floats of scratch that a pass needs.
  package var scratch: Int { 2 * AttentionShape.block * keys }
  /// Floats that queries, keys and values take together.
  package var projections: Int { queries * width + 2 * keys * keyWidth }

  fileprivate static let block = 128
  fileprivate var scale: Float { 1 / Float(dimension).squareRoot() }
}

/// Where queries, keys and values (or their gradients) lie in one span.
package struct AttentionRows: Sendable, Equatable {
  package let q: Rows
  package let k: Rows
  package let v: Rows

  /// Rows of [q | k | v], as one fused projection gives them: (T, 3·C).
  package static func fused(_ shape: AttentionShape) -> AttentionRows {
    precondition(shape.keyHeads == shape.heads && shape.keys == shape.queries)
    let rows = Rows(stride: 3 * shape.width)
    return AttentionRows(
      q: rows, k: rows.shifted(shape.width), v: rows.shifted(2 * shape.width))
  }

  /// First all queries (T, C), then rows of [k | v]: (S, 2·keyWidth).
  package static func queriesThenPairs(_ shape: AttentionShape) -> AttentionRows {
    let pairs = Rows(offset: shape.queries * shape.width, stride: 2 * shape.keyWidth)
    return AttentionRows(
      q: Rows(stride: shape.width), k: pairs, v: pairs.shifted(shape.keyWidth))
  }

  /// All queries (T, C), all keys (S, keyWidth), all values (S, keyWidth), one after the other.
  package static func separate(_ shape: AttentionShape) -> AttentionRows {
    let start = shape.queries * shape.width
    return AttentionRows(
      q: Rows(stride: shape.width), k: Rows(offset: start, stride: shape.keyWidth),
      v: Rows(offset: start + shape.keys * shape.keyWidth, stride: shape.keyWidth))
  }
}

/// Forward: the heads' outputs side by side, before the output projection.
///
/// - Parameters:
///   - qkv: queries, keys and values at `rows`.
///   - scratch: at least `shape.scratch` floats, overwritten.
///   - z: receives (T, C).
package func attention(
  _ shape: AttentionShape, qkv: Span<Float>, rows: AttentionRows,
  scratch: inout MutableSpan<Float>, into z: inout MutableSpan<Float>
) {
  precondition(scratch.count >= shape.scratch, "too little scratch")
  for block in Blocks(shape) {
    probabilities(shape, block, qkv: qkv, rows: rows, into: &scratch)
    stridedProduct(
      scratch.span, Rows(stride: block.visible), qkv, rows.v.shifted(block.keyColumn),
      m: block.count, n: shape.dimension, k: block.visible, into: &z,
      Rows(offset: block.start * shape.width + block.column, stride: shape.width))
  }
}

/// Backward of `attention`.
///
/// - Parameters:
///   - qkv: the forward pass's input, at `rows`.
///   - dz: (T, C).
///   - scratch: at least `shape.scratch` floats, overwritten.
///   - dqkv: receives the gradients of queries, keys and values, at `rows` too; same size as `qkv`.
package func attentionGradient(
  _ shape: AttentionShape, qkv: Span<Float>, rows: AttentionRows, dz: Span<Float>,
  scratch: inout MutableSpan<Float>, into dqkv: inout MutableSpan<Float>
) {
  precondition(dqkv.count == qkv.count && scratch.count >= shape.scratch, "shapes do not fit")
  for i in 0..<dqkv.count { unsafe dqkv[unchecked: i] = 0 }
  let half = AttentionShape.block * shape.keys
  let outputs = Rows(stride: shape.width)
  for block in Blocks(shape) {
    let (count, visible) = (block.count, block.visible)
    let square = Rows(stride: visible)
    let second = Rows(offset: half, stride: visible)
    let z = outputs.from(row: block.start).shifted(block.column)
    let q = rows.q.from(row: block.start).shifted(block.column)
    let k = rows.k.shifted(block.keyColumn)
    let v = rows.v.shifted(block.keyColumn)
    probabilities(shape, block, qkv: qkv, rows: rows, into: &scratch)  // P (count, visible)
    stridedProduct(
      scratch.span, square, transposeA: true, dz, z, m: visible, n: shape.dimension, k: count,
      beta: 1, into: &dqkv, v)
    stridedProduct(
      dz, z, qkv, v, transposeB: true, m: count, n: visible, k: shape.dimension, into: &scratch,
      second)  // dP (count, visible)
    for row in 0..<count {
      var dot: Float = 0
      for j in row * visible..<(row + 1) * visible {
        dot = unsafe Relaxed.multiplyAdd(scratch[unchecked: j], scratch[unchecked: half + j], dot)
      }
      for j in row * visible..<(row + 1) * visible {
        unsafe scratch[unchecked: half + j] =
          scratch[unchecked: j] * (scratch[unchecked: half + j] - dot)
      }
    }
    stridedProduct(
      scratch.span, second, qkv, k, m: count, n: shape.dimension, k: visible, alpha: shape.scale,
      into: &dqkv, q)
    stridedProduct(
      scratch.span, second, transposeA: true, qkv, q, m: visible, n: shape.dimension, k: count,
      alpha: shape.scale, beta: 1, into: &dqkv, k)
  }
}

/// Some queries of one head.
private struct Block {
  let start: Int
  let count: Int
  /// Keys that any of them sees.
  let visible: Int
  /// First column of the head among queries.
  let column: Int
  /// First column of its partner among keys and values.
  let keyColumn: Int
}

private struct Blocks: Sequence, IteratorProtocol {
  private let shape: AttentionShape
  private var head = 0
  private var start = 0

  init(_ shape: AttentionShape) { self.shape = shape }

  mutating func next() -> Block? {
    if start >= shape.queries {
      head += 1
      start = 0
    }
    if head >= shape.heads || shape.queries == 0 { return nil }
    let count = Swift.min(AttentionShape.block, shape.queries - start)
    defer { start += count }
    return Block(
      start: start, count: count, visible: shape.isCausal ? start + count : shape.keys,
      column: head * shape.dimension,
      keyColumn: head / (shape.heads / shape.keyHeads) * shape.dimension)
  }
}

/// P of a block: (count, visible) at the start of `scratch`.
private func probabilities(
  _ shape: AttentionShape, _ block: Block, qkv: Span<Float>, rows: AttentionRows,
  into scratch: inout MutableSpan<Float>
) {
  stridedProduct(
    qkv, rows.q.from(row: block.start).shifted(block.column), qkv,
    rows.k.shifted(block.keyColumn), transposeB: true, m: block.count, n: block.visible,
    k: shape.dimension, alpha: shape.scale, into: &scratch, Rows(stride: block.visible))
  for row in 0..<block.count {
    let seen = shape.isCausal ? block.start + row + 1 : block.visible
    let start = row * block.visible
    do {
      var part = scratch._mutatingExtracting(start..<start + seen)
      softmaxOfRow(&part)
    }
    for j in start + seen..<start + block.visible { scratch[j] = 0 }
  }
}

/// x ← eˣ / Σ eˣ, eight lanes at a time.
func softmaxOfRow(_ x: inout MutableSpan<Float>) {
  let largest = largestValue(x.span)
  var totals = Vector()
  var i = 0
  while i + 8 <= x.count {
    let e = unsafe exponential(x.vector(i) - largest)
    totals += e
    unsafe x.storeVector(e, i)
    i += 8
  }
  var total = totals.sum()
  if i < x.count {
    var last = Vector(repeating: -.infinity)
    for j in i..<x.count { last[j - i] = x[j] - largest }
    let e = exponential(last)
    for j in i..<x.count {
      x[j] = e[j - i]
      total += e[j - i]
    }
  }
  let scale = 1 / total
  for j in 0..<x.count { unsafe x[unchecked: j] *= scale }
}
