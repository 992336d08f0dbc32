// What one branch of generation remembers: cache, text, the newest position's readings.

package import Kernels
import RealModule

/// The state of one sequence that the language model continues.
///
/// A stream belongs to one thread at a time. Its state is the cache's length and contents; `truncate`
/// goes back to an earlier step, `reset` to none. Everything else is overwritten by the next step.
package final class LanguageModelStream {
  package let config: LanguageModelConfig
  /// Text states, or nil for the unconditional branch.
  package var text: TextContext?
  /// Adds its directions to the newest position of every pass; nil for none.
  package var steering: Steering?
  /// Logits for every new position of a pass instead of only the newest.
  package var keepsAllLogits = false
  var state: State

  /// The buffers, apart, because parts of a structure can lend spans to a call and objects cannot.
  struct State: ~Copyable {
    let config: LanguageModelConfig
    var cache: KeyValueCache
    var headOutputs: FloatBuffer  // (L, C)
    var logits: FloatBuffer  // (columns, K, V)
    var logitColumns = 0
    var pending: [Int32] = []  // (columns, K)
    var pendingCount = 0

    mutating func keepHeadOutputs(of layer: Int, from z: Span<Float>) {
      var target = headOutputs.mutableSpan(layer * config.hidden..<(layer + 1) * config.hidden)
      for i in 0..<z.count { target[i] = z[i] }
    }

    /// Takes the logits (columns, V) of one codebook.
    mutating func takeLogits(of book: Int, from source: Span<Float>) {
      let (K, V) = (config.codebooks, config.cardinality)
      let columns = source.count / V
      if logits.count < columns * K * V { logits = FloatBuffer(count: columns * K * V) }
      logitColumns = columns
      for column in 0..<columns {
        let start = (column * K + book) * V
        var target = logits.mutableSpan(start..<start + V)
        for i in 0..<V { target[i] = source[column * V + i] }
      }
    }

    mutating func commit() {
      cache.advance(by: pendingCount)
      dropPending()
    }

    mutating func dropPending() {
      pending.removeAll(keepingCapacity: true)
      pendingCount = 0
    }
  }

  /// - Parameters:
  ///   - capacity: positions that fit; 1500 in the published models.
  ///   - cacheFormat: how keys and values are stored; `LanguageModel.cacheFormat` suits its weights.
  package init(config: LanguageModelConfig, capacity: Int, cacheFormat: CacheFormat = .f32) {
    self.config = config
    state = State(
      config: config,
      cache: KeyValueCache(
        layers: config.layers, heads: config.heads, headDimension: config.headDimension,
        capacity: capacity, format: cacheFormat),
      headOutputs: FloatBuffer(count: config.layers * config.hidden),
      logits: FloatBuffer(count: config.codebooks * config.cardinality))
    state.pending.reserveCapacity(LanguageModel.exactColumns * config.codebooks)
  }

  /// Positions fed so far; the position of the next token.
  package var length: Int { state.cache.length }
  /// Positions that fit.
  package var capacity: Int { state.cache.capacity }
  /// Positions that the next pass will add.
  package var pendingCount: Int { state.pendingCount }

  /// Calls `body` with the output of every head at the newest position, before steering and the
  /// output projection: (L, C), heads side by side.
  package func withHeadOutputs<Result>(_ body: (borrowing FloatBuffer) -> Result) -> Result {
    body(state.headOutputs)
  }

  /// Calls `body` with the logits of the newest positions: (columns, K, V), oldest first.
  package func withLogits<Result>(_ body: (borrowing FloatBuffer, _ columns: Int) -> Result)
    -> Result
  {
    body(state.logits, state.logitColumns)
  }

  /// Forgets everything but the text.
  package func reset() {
    state.cache.reset()
    state.dropPending()
    state.logitColumns = 0
  }

  /// Goes back to the first `length` positions.
  package func truncate(to length: Int) {
    state.cache.truncate(to: length)
    state.dropPending()
  }

  /// Adds one position to the next pass.
  /// - Parameter tokens: one id per codebook (K), each 0 … V (V is the special token).
  package func feed(_ tokens: [Int32]) {
    precondition(tokens.count == config.codebooks, "\(tokens.count) tokens for K codebooks")
    precondition(length + pendingCount < capacity, "the stream is full")
    for book in 0..<tokens.count {
      precondition(tokens[book] >= 0 && tokens[book] <= config.cardinality, "no such token")
      state.pending.append(tokens[book])
    }
    state.pendingCount += 1
  }

  /// Positions whose logits the next pass keeps.
  var logitColumnsOfNextPass: Int { keepsAllLogits ? pendingCount : 1 }

  /// Makes `count` positions valid whose keys and values are random numbers, so that a step can be
  /// timed at any length without computing the ones before it.
  package func fillForMeasurement(positions count: Int) {
    let width = config.hidden
    var state32: UInt32 = 1
    var row = FloatBuffer(count: width)
    for _ in 0..<count {
      for layer in 0..<config.layers {
        var target = row.mutableSpan
        for i in 0..<width {
          state32 = state32 &* 1_664_525 &+ 1_013_904_223
          target[i] = Float(state32 >> 24) / 64 - 2
        }
        state.cache.store(keys: row.span, values: row.span, count: 1, layer: layer)
      }
      state.cache.advance(by: 1)
    }
  }

  /// Bytes of keys and values that the next step of one position reads.
  package var cacheBytes: Int { state.cache.bytesRead(length: length + 1) }

  func pendingToken(index: Int, codebook: Int) -> Int32 {
    state.pending[index * config.codebooks + codebook]
  }
}

/// Scratch memory of `LanguageModel.step`, shared by all streams of a thread.
package final class LanguageModelWorkspace {
  var buffers: Buffers

  /// - Parameter columns: passes of up to this many columns allocate nothing.
  package init(config: LanguageModelConfig, columns: Int = LanguageModel.exactColumns) {
    buffers = Buffers(config: config)
    buffers.reserve(columns: columns)
    buffers.reserve(logits: columns * config.cardinality)
  }

  struct Buffers: ~Copyable {
    private let config: LanguageModelConfig
    private var columns = 0
    var x = FloatBuffer(count: 0)  // (N, C)
    var h = FloatBuffer(count: 0)  // (N, C)
    var q = FloatBuffer(count: 0)  // (N, C)
    var k = FloatBuffer(count: 0)  // (N, C)
    var v = FloatBuffer(count: 0)  // (N, C)
    var z = FloatBuffer(count: 0)  // (N, C)
    var y = FloatBuffer(count: 0)  // (N, C)
    var f = FloatBuffer(count: 0)  // (N, F)
    var logits = FloatBuffer(count: 0)  // (columns, V)
    /// Angular frequencies of the positions (C/2).
    let frequencies: [Float]

    init(config: LanguageModelConfig) {
      self.config = config
      let half = config.hidden / 2
      // In float32 like the reference: the product of position and frequency is rounded there too.
      let slope = half > 1 ? Float(9.210_340_371_976_184) / Float(half - 1) : 0
      frequencies = (0..<half).map { Float.exp(Float($0) * -slope) }
    }

    mutating func reserve(logits count: Int) {
      if logits.count < count { logits = FloatBuffer(count: count) }
    }

    mutating func reserve(columns n: Int) {
      guard n > columns else { return }
      columns = n
      let (C, F) = (config.hidden, config.feedForward)
      x = FloatBuffer(count: n * C)
      h = FloatBuffer(count: n * C)
      q = FloatBuffer(count: n * C)
      k = FloatBuffer(count: n * C)
      v = FloatBuffer(count: n * C)
      z = FloatBuffer(count: n * C)
      y = FloatBuffer(count: n * C)
      f = FloatBuffer(count: n * F)
    }
  }
}

/// x[start …] += [cos | sin] of the position times its frequencies, 10000^(−i/(C/2−1)).
func addPosition(
  _ position: Int, frequencies: [Float], into x: inout MutableSpan<Float>, at start: Int
) {
  let half = frequencies.count
  for i in 0..<half {
    let angle = Float(position) * frequencies[i]
    x[start + i] += Float.cos(angle)
    x[start + half + i] += Float.sin(angle)
  }
}
