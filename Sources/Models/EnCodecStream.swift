// One side of the codec at work on a stream: rows go in as they come, final rows come out.
//
// Every layer reads from a window of the rows that it still needs and writes into the window of the next
// one. What comes out, all together, equals the network on the whole signal, because the paddings are
// those of the whole signal (see SlidingWindow). The state is windows and LSTM cells: small, so it can
// be saved at every step. The arrangement is ours.

internal import Kernels

/// The state of one network on one stream, and the buffers to compute in.
///
/// Threading: used by one thread at a time; the pool's threads help inside a call. Allocates in `init`
/// only.
final class EnCodecStream {
  private let network: EnCodecNetwork
  /// Input of layer i, and behind the last layer the output.
  private let windows: [SlidingWindow]
  /// Hidden and cell state of every LSTM layer.
  private let cells: [WorkBuffer]
  /// Rows taken at a time.
  let blockRows: Int
  private let activated: WorkBuffer
  private let hidden: WorkBuffer
  private let workspace: WorkBuffer

  /// - Parameter blockRows: how many input rows are computed at a time, ≥ 1; more come in pieces.
  init(network: EnCodecNetwork, blockRows: Int) {
    self.network = network
    self.blockRows = blockRows
    var windows: [SlidingWindow] = []
    var cells: [WorkBuffer] = []
    var (activatedCount, hiddenCount, workspaceCount) = (0, 0, 0)
    var rows = blockRows
    for layer in network.layers {
      windows.append(
        SlidingWindow(
          channels: layer.inputChannels, reach: layer.reach, stride: layer.stride,
          before: layer.before, after: layer.after, padding: layer.padding, blockRows: rows))
      // At most so many outputs become ready at a time: those of a block, and those that waited for
      // the padding at one end.
      let waiting = max(0, 2 * layer.before - layer.reach + 1) + layer.after + layer.stride
      let outputs = (rows + waiting) / layer.stride + 1
      switch layer.operation {
      case .convolution(let it):
        workspaceCount = max(workspaceCount, it.workspaceCount(outputs: outputs))
      case .transposed(let it, _, _):
        workspaceCount = max(workspaceCount, it.blocks.workspaceCount(outputs: outputs))
      case .lstm(let stack):
        for lstm in stack {
          cells.append(WorkBuffer(count: lstm.width))
          cells.append(WorkBuffer(count: lstm.width))
          workspaceCount = max(workspaceCount, lstm.workspaceCount(count: outputs))
          activatedCount = max(activatedCount, outputs * lstm.width)
          hiddenCount = max(hiddenCount, outputs * lstm.width)
        }
      case .residual(let it):
        activatedCount = max(
          activatedCount, (outputs + layer.reach) * layer.inputChannels,
          outputs * layer.outputChannels)
        hiddenCount = max(hiddenCount, outputs * it.first.outputChannels)
        workspaceCount = max(workspaceCount, it.first.workspaceCount(outputs: outputs))
      }
      rows = outputs * layer.rowsPerOutput
    }
    windows.append(
      SlidingWindow(channels: network.layers.last?.outputChannels ?? 1, blockRows: rows))
    self.windows = windows
    self.cells = cells
    activated = WorkBuffer(count: activatedCount)
    hidden = WorkBuffer(count: hiddenCount)
    workspace = WorkBuffer(count: workspaceCount)
  }

  /// Forgets everything.
  func reset() {
    for window in windows { window.reset() }
    for cell in cells { cell.clear() }
  }

  /// Takes `count` rows and gives every row that became final.
  ///
  /// - Parameters:
  ///   - rows: (count, input channels).
  ///   - output: receives the final rows, (any number, output channels).
  ///   - row: the row of `output` that the first one goes to.
  /// - Returns: how many rows were written.
  func push(
    _ rows: Span<Float>, count: Int, into output: inout MutableSpan<Float>, at row: Int = 0,
    pool: ComputePool
  ) -> Int {
    let entrance = windows[0]
    let channels = entrance.channels
    precondition(rows.count >= count * channels, "fewer rows than said")
    var (taken, written) = (0, row)
    while taken < count {
      let part = min(blockRows, count - taken)
      var room = entrance.room(part)
      for i in 0..<part * channels { room[i] = rows[taken * channels + i] }
      entrance.append(part)
      taken += part
      for index in network.layers.indices { compute(index, pool: pool) }
      drain(into: &output, written: &written)
    }
    return written - row
  }

  /// Ends the signal and gives all rows that were waiting for it. Only `reset` and `restore` make sense
  /// afterwards.
  func finish(into output: inout MutableSpan<Float>, at row: Int = 0, pool: ComputePool) -> Int {
    var written = row
    for index in network.layers.indices {
      windows[index].close()
      compute(index, pool: pool)
    }
    drain(into: &output, written: &written)
    return written - row
  }

  /// Moves final rows from behind the last layer to `output`.
  private func drain(into output: inout MutableSpan<Float>, written: inout Int) {
    let last = windows[windows.count - 1]
    let ready = last.ready
    guard ready > 0 else { return }
    let channels = last.channels
    let rows = last.windows(outputs: ready)
    precondition(
      (written + ready) * channels <= output.count, "\(written + ready) rows do not fit")
    for i in 0..<ready * channels { output[written * channels + i] = rows[i] }
    last.consume(ready)
    written += ready
  }

  /// Computes all that layer `index` can compute and hands it on.
  private func compute(_ index: Int, pool: ComputePool) {
    let (source, target) = (windows[index], windows[index + 1])
    let layer = network.layers[index]
    let count = source.ready
    guard count > 0 else { return }
    var scratch = workspace.mutableSpan
    switch layer.operation {
    case .convolution(let it):
      var y = target.room(count)
      it.apply(
        source.windows(outputs: count), outputs: count, skip: Span(), activate: layer.activate,
        into: &y, workspace: &scratch, pool: pool)
      target.append(count)
    case .transposed(let it, let trimStart, let trimEnd):
      var y = target.room(count * it.stride)
      it.blocks.apply(
        source.windows(outputs: count), outputs: count, skip: Span(), activate: layer.activate,
        into: &y, workspace: &scratch, pool: pool)
      target.append(
        count * it.stride - (source.isClosed ? trimEnd : 0),
        skipping: source.computed == 0 ? trimStart : 0)
    case .lstm(let stack):
      run(stack, source: source, target: target, count: count, activate: layer.activate, pool: pool)
    case .residual(let it):
      run(it, layer: layer, source: source, target: target, count: count, pool: pool)
    }
    source.consume(count)
  }

  private func run(
    _ stack: [LSTMLayer], source: SlidingWindow, target: SlidingWindow, count: Int, activate: Bool,
    pool: ComputePool
  ) {
    let width = stack[0].width
    let whole = 0..<count * width
    let x = source.windows(outputs: count)
    var scratch = workspace.mutableSpan
    for (number, lstm) in stack.enumerated() {
      var h = cells[2 * number].mutableSpan
      var c = cells[2 * number + 1].mutableSpan
      // Outputs go to the two buffers in turn; a layer reads the one that it does not write.
      let (from, to) = number % 2 == 0 ? (hidden, activated) : (activated, hidden)
      var y = to.mutableSpan(whole)
      lstm.run(
        number == 0 ? x : from.span(whole), count: count, hidden: &h, cell: &c, into: &y,
        workspace: &scratch, pool: pool)
    }
    let top = stack.count % 2 == 0 ? hidden : activated
    var sum = top.mutableSpan(whole)
    for i in whole { sum[i] += x[i] }
    var y = target.room(count)
    if activate {
      elu(top.span(whole), into: &y, pool: pool)
    } else {
      for i in whole { y[i] = sum[i] }
    }
    target.append(count)
  }

  private func run(
    _ block: EnCodecNetwork.ResidualBlock, layer: EnCodecNetwork.Layer, source: SlidingWindow,
    target: SlidingWindow, count: Int, pool: ComputePool
  ) {
    let channels = layer.inputChannels
    let x = source.windows(outputs: count)
    let centre = source.rows(from: layer.before, count: count)
    var scratch = workspace.mutableSpan
    var a = activated.mutableSpan(0..<x.count)
    elu(x, into: &a, pool: pool)
    var h = hidden.mutableSpan(0..<count * block.first.outputChannels)
    block.first.apply(
      activated.span(0..<x.count), outputs: count, skip: Span(), activate: true, into: &h,
      workspace: &scratch, pool: pool)
    var y = target.room(count)
    let inner = hidden.span(0..<count * block.first.outputChannels)
    if let shortcut = block.shortcut {
      var direct = activated.mutableSpan(0..<count * channels)
      shortcut.apply(
        centre, outputs: count, skip: Span(), into: &direct, workspace: &scratch, pool: pool)
      block.second.apply(
        inner, outputs: count, skip: activated.span(0..<count * channels),
        activate: layer.activate, into: &y, workspace: &scratch, pool: pool)
    } else {
      block.second.apply(
        inner, outputs: count, skip: centre, activate: layer.activate, into: &y,
        workspace: &scratch, pool: pool)
    }
    target.append(count)
  }

  // MARK: Snapshots

  /// Bytes of the whole state.
  private var snapshotBytes: Int {
    windows.reduce(0) { $0 + $1.snapshotBytes } + cells.reduce(0) { $0 + $1.bytes }
  }

  /// Room for the state.
  func makeSnapshot() -> EnCodecSnapshot { EnCodecSnapshot(bytes: snapshotBytes) }

  /// Writes the whole state, between two calls of `push`, and `position`, which the caller counts.
  func save(_ position: EnCodecPosition, to snapshot: EnCodecSnapshot) {
    precondition(snapshot.bytes == snapshotBytes, "a snapshot of another codec")
    var offset = 0
    for window in windows {
      unsafe window.save(to: snapshot.memory + offset)
      offset += window.snapshotBytes
    }
    for cell in cells {
      unsafe cell.save(to: snapshot.memory + offset)
      offset += cell.bytes
    }
    snapshot.position = position
  }

  /// Returns to what `save` wrote, and gives the position back.
  func restore(from snapshot: EnCodecSnapshot) -> EnCodecPosition {
    precondition(snapshot.bytes == snapshotBytes, "a snapshot of another codec")
    var offset = 0
    for window in windows {
      unsafe window.restore(from: UnsafeRawPointer(snapshot.memory + offset))
      offset += window.snapshotBytes
    }
    for cell in cells {
      unsafe cell.restore(from: UnsafeRawPointer(snapshot.memory + offset))
      offset += cell.bytes
    }
    return snapshot.position
  }
}
