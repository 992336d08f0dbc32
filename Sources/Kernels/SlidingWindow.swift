// The rows of a signal that a convolution still needs, with the padding at both ends: what makes a
// convolution streaming.
//
// Rows come in at the end; outputs are computed from `start` on and then consumed. The padding before
// the first row is filled as soon as the rows that it mirrors are there, the padding after the last one
// when the signal ends. So the outputs, all together, are those of the whole signal, padded.
// Rules of padding: `EncodecConv1d` of transformers (published code).

#if canImport(Glibc)
  import Glibc
#endif

/// What stands before the first and after the last row.
package enum Padding: String, Sendable {
  /// Zeros.
  case constant
  /// The signal mirrored about its first and last row, which are not repeated. A signal that is too
  /// short for it is first lengthened by zeros.
  case reflect
  /// The first and the last row again and again.
  case replicate
}

/// A buffer of rows between a producer and a convolution.
///
/// Threading: used by one thread at a time. Allocates in `init` only.
/// Safe because the memory is made and freed here, every range is checked, and it is lent only as spans
/// bound to this object; the type's users write no span while they read the same rows.
@safe package final class SlidingWindow {
  /// Numbers per row.
  package let channels: Int
  /// Rows from the first to the last one that an output looks at.
  package let reach: Int
  /// Rows between the windows of neighbouring outputs.
  package let stride: Int
  package let padding: Padding
  /// Rows of padding before the first row.
  package let before: Int
  /// Rows of padding after the last row, where that is a whole number of strides after the start.
  package let after: Int
  /// Rows that `append` accepts at a time.
  package let blockRows: Int
  /// Rows that fit.
  private let capacity: Int
  private let rows: UnsafeMutablePointer<Float>  // (capacity, channels)
  /// Rows that are held at most while no output is ready.
  package let carriedRows: Int

  /// What has to be remembered to return to a moment, besides the rows held.
  private struct Position: BitwiseCopyable {
    /// Rows held, those of the padding included.
    var count: Int
    /// The row where the next output's window begins.
    var start = 0
    /// Rows of the signal that came so far.
    var received = 0
    /// Outputs consumed so far.
    var computed = 0
    /// Whether the padding before the first row is filled in.
    var opened: Bool
    /// Whether the signal has ended.
    var closed = false
  }
  private var position: Position

  /// - Parameter blockRows: rows that come at most between two calls of `compact`.
  package init(
    channels: Int, reach: Int = 1, stride: Int = 1, before: Int = 0, after: Int = 0,
    padding: Padding = .constant, blockRows: Int
  ) {
    precondition(channels >= 1 && reach >= 1 && stride >= 1 && before >= 0 && after >= 0)
    precondition(stride == 1 || before + after == reach - stride, "padding and stride do not fit")
    self.channels = channels
    self.reach = reach
    self.stride = stride
    self.before = before
    self.after = after
    self.padding = padding
    self.blockRows = blockRows
    let longestEnd = after + stride - 1
    carriedRows = max(2 * before + 1, reach - 1 + stride, longestEnd + 1)
    capacity = carriedRows + blockRows + longestEnd
    unsafe rows = allocateLines(bytes: capacity * channels * MemoryLayout<Float>.stride)
      .bindMemory(to: Float.self, capacity: capacity * channels)
    position = Position(count: before, opened: before == 0)
    reset()
  }

  deinit { unsafe free(rows) }

  /// Forgets everything.
  package func reset() {
    position = Position(count: before, opened: before == 0)
    if padding == .constant && before > 0 {
      unsafe memset(rows, 0, before * channels * MemoryLayout<Float>.stride)
      position.opened = true
    }
  }

  /// Rows of the signal that came so far.
  package var received: Int { position.received }
  /// Outputs consumed so far.
  package var computed: Int { position.computed }
  /// Whether the signal has ended.
  package var isClosed: Bool { position.closed }

  /// Outputs whose windows are complete.
  package var ready: Int {
    let complete = position.count - position.start - reach
    return position.opened && complete >= 0 ? complete / stride + 1 : 0
  }

  /// The rows from the next output's window on, all windows of `outputs` outputs (≥ 1).
  @_lifetime(borrow self)
  package func windows(outputs: Int) -> Span<Float> {
    precondition(outputs >= 1 && outputs <= ready, "\(outputs) outputs are not ready")
    let count = ((outputs - 1) * stride + reach) * channels
    let span = unsafe Span(
      _unsafeStart: UnsafePointer(rows + position.start * channels), count: count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// The same rows from `offset` rows later on, `count` of them.
  @_lifetime(borrow self)
  package func rows(from offset: Int, count: Int) -> Span<Float> {
    precondition(offset >= 0 && position.start + offset + count <= position.count)
    let span = unsafe Span(
      _unsafeStart: UnsafePointer(rows + (position.start + offset) * channels),
      count: count * channels)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// Where the next `count` rows belong; `append` makes them part of the signal.
  @_lifetime(borrow self)
  package func room(_ count: Int) -> MutableSpan<Float> {
    precondition(
      count >= 0 && position.count + count <= capacity, "\(count) rows are more than fit")
    let span = unsafe MutableSpan(
      _unsafeStart: rows + position.count * channels, count: count * channels)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// Takes `count` rows, written to `room`, into the signal, without the first `skipped` of them.
  package func append(_ count: Int, skipping skipped: Int = 0) {
    precondition(!position.closed, "the signal has ended")
    precondition(skipped <= count && position.count + count <= capacity)
    if skipped > 0 {
      let to = unsafe rows + position.count * channels
      unsafe memmove(
        to, to + skipped * channels,
        (count - skipped) * channels * MemoryLayout<Float>.stride)
    }
    position.count += count - skipped
    position.received += count - skipped
    open(ended: false)
  }

  /// Marks `outputs` as computed and drops rows that nothing needs any more.
  package func consume(_ outputs: Int) {
    position.start += outputs * stride
    position.computed += outputs
    precondition(position.start <= position.count)
    compact()
  }

  /// Ends the signal: fills the padding after it.
  package func close() {
    precondition(!position.closed, "the signal has ended already")
    open(ended: true)
    position.closed = true
    guard position.received > 0 else { return }
    let missing = (stride - position.received % stride) % stride
    let extra = after + missing
    let end = position.count
    precondition(end + extra <= capacity)
    for offset in 0..<extra {
      let index = position.received + offset
      fill(row: end + offset, with: source(of: index, longest: max(before, extra)), end: end)
    }
    position.count = end + extra
  }

  /// Fills the padding before the first row once its rows are known.
  private func open(ended: Bool) {
    guard !position.opened, position.received > 0 else { return }
    let needed = padding == .reflect ? before + 1 : 1
    guard position.received >= needed || ended else { return }
    let missing = (stride - position.received % stride) % stride
    let longest = max(before, ended ? after + missing : 0)
    let end = position.count
    for row in 0..<before {
      fill(row: row, with: source(of: row - before, longest: longest), end: end)
    }
    position.opened = true
  }

  /// The index of the row that stands at `index` outside of the signal; nil for zeros.
  private func source(of index: Int, longest: Int) -> Int? {
    let length = position.received
    switch padding {
    case .constant: return nil
    case .replicate: return index < 0 ? 0 : length - 1
    case .reflect:
      let mirrored = length > longest ? length : longest + 1
      var place = abs(index)
      if place >= mirrored { place = 2 * (mirrored - 1) - place }
      return place < length ? place : nil
    }
  }

  /// Copies the signal's row `index`, which is held, or zeros, to a row of padding.
  private func fill(row: Int, with index: Int?, end: Int) {
    let target = unsafe rows + row * channels
    let bytes = channels * MemoryLayout<Float>.stride
    guard let index else {
      unsafe memset(target, 0, bytes)
      return
    }
    let from = end - (position.received - index)
    precondition(from >= 0 && from < end, "a row of the padding is gone")
    unsafe memcpy(target, rows + from * channels, bytes)
  }

  private func compact() {
    let mirrored = after + stride
    let first = max(0, min(position.start, position.count - mirrored))
    guard first > 0 else { return }
    unsafe memmove(
      rows, rows + first * channels,
      (position.count - first) * channels * MemoryLayout<Float>.stride)
    position.count -= first
    position.start -= first
  }

  // MARK: Snapshots

  /// Bytes that `save` writes at most.
  package var snapshotBytes: Int {
    (MemoryLayout<Position>.size + 15) / 16 * 16
      + carriedRows * channels * MemoryLayout<Float>.stride
  }

  /// Writes the position and the rows held, for `restore`; no output may be ready.
  @unsafe package func save(to target: UnsafeMutableRawPointer) {
    precondition(position.count <= carriedRows, "outputs that are ready must be consumed first")
    unsafe target.storeBytes(of: position, as: Position.self)
    let floats = unsafe target + (MemoryLayout<Position>.size + 15) / 16 * 16
    unsafe memcpy(floats, rows, position.count * channels * MemoryLayout<Float>.stride)
  }

  /// Returns to what `save` wrote.
  @unsafe package func restore(from source: UnsafeRawPointer) {
    position = unsafe source.loadUnaligned(as: Position.self)
    precondition(position.count <= carriedRows, "not a snapshot of this window")
    let floats = unsafe source + (MemoryLayout<Position>.size + 15) / 16 * 16
    unsafe memcpy(rows, floats, position.count * channels * MemoryLayout<Float>.stride)
  }
}
