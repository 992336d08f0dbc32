// One-dimensional convolution over rows, as matrix products without copying windows.
//
// A signal is (T, C): time by channels, so the window of output t, taps · C numbers, lies in one piece
// from row t · stride on. A matrix product wants rows that do not overlap, so outputs are taken q at a
// time, q = ⌈taps / stride⌉: outputs t, t + q, t + 2q … have windows that do not overlap, and q products
// with rows q · stride · C apart give all outputs. Padding is the caller's business: this kernel computes
// only windows that lie inside its input. The arrangement is ours.

#if canImport(Glibc)
  import Glibc
#endif

/// Weights of a convolution, arranged for the products: y[t] = bias + Σⱼ Wⱼ x[t·stride + j·dilation].
package struct Convolution: Sendable {
  package let inputChannels: Int
  package let outputChannels: Int
  /// Rows of input that one output looks at.
  package let taps: Int
  /// Rows between the windows of two neighbouring outputs.
  package let stride: Int
  /// Rows between two taps.
  package let dilation: Int
  private let weights: ConstantFloats  // (outputChannels, taps · inputChannels)
  private let bias: ConstantFloats  // (outputChannels)
  private let matrix: WeightMatrix

  /// Rows from the first to the last tap.
  package var reach: Int { (taps - 1) * dilation + 1 }
  /// Columns of the weight matrix.
  private var window: Int { taps * inputChannels }

  /// Arranges weights.
  ///
  /// - Parameters:
  ///   - weights: (outputChannels, inputChannels, taps), as checkpoints store them.
  ///   - bias: (outputChannels).
  package init(
    weights: [Float], bias: [Float], inputChannels: Int, outputChannels: Int, taps: Int,
    stride: Int = 1, dilation: Int = 1
  ) {
    precondition(weights.count == outputChannels * inputChannels * taps, "shapes do not fit")
    var rows = [Float](repeating: 0, count: weights.count)
    for o in 0..<outputChannels {
      for c in 0..<inputChannels {
        for j in 0..<taps {
          rows[(o * taps + j) * inputChannels + c] = weights[(o * inputChannels + c) * taps + j]
        }
      }
    }
    self.init(
      rows: rows, bias: bias, inputChannels: inputChannels, outputChannels: outputChannels,
      taps: taps, stride: stride, dilation: dilation)
  }

  /// Takes weights that are in order already.
  ///
  /// - Parameter rows: (outputChannels, taps, inputChannels).
  init(
    rows: [Float], bias: [Float], inputChannels: Int, outputChannels: Int, taps: Int,
    stride: Int = 1, dilation: Int = 1
  ) {
    precondition(rows.count == outputChannels * inputChannels * taps, "shapes do not fit")
    precondition(bias.count == outputChannels && stride >= 1 && dilation >= 1 && taps >= 1)
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.taps = taps
    self.stride = stride
    self.dilation = dilation
    self.weights = ConstantFloats(rows)
    self.bias = ConstantFloats(bias)
    self.matrix = unsafe WeightMatrix(
      rows: outputChannels, columns: taps * inputChannels, base: weights.base, owner: weights)
  }

  /// From so many outputs on, products over strided windows win over gathering the windows.
  private static let manyOutputs = 32
  /// Up to so many outputs, one pass over the weights for all of them wins over a matrix product.
  private static let fewOutputs = 4

  private func gathers(_ outputs: Int) -> Bool {
    reach > 1 && (dilation > 1 || outputs < Self.manyOutputs)
  }

  /// Floats of workspace that `apply` needs for `outputs` rows.
  package func workspaceCount(outputs: Int) -> Int {
    // Fewer outputs can need more than many: below the limit windows are gathered.
    let gathered = dilation > 1 ? outputs : min(outputs, Self.manyOutputs - 1)
    return reach > 1 ? gathered * window : 0
  }

  /// Computes `outputs` rows.
  ///
  /// - Parameters:
  ///   - x: input rows (≥ (outputs − 1) · stride + reach, inputChannels).
  ///   - skip: rows that are added (outputs, outputChannels), or empty for none.
  ///   - activate: whether ELU follows.
  ///   - y: receives (outputs, outputChannels).
  ///   - workspace: at least `workspaceCount(outputs:)` floats, overwritten.
  ///   - pool: the threads that share the work; the result does not depend on their number.
  package func apply(
    _ x: Span<Float>, outputs: Int, skip: Span<Float>, activate: Bool = false,
    into y: inout MutableSpan<Float>, workspace: inout MutableSpan<Float>, pool: ComputePool
  ) {
    guard outputs > 0 else { return }
    precondition(
      x.count >= ((outputs - 1) * stride + reach) * inputChannels
        && y.count >= outputs * outputChannels
        && (skip.isEmpty || skip.count >= outputs * outputChannels)
        && workspace.count >= workspaceCount(outputs: outputs), "shapes do not fit")
    unsafe x.withUnsafeBufferPointer { x in
      unsafe skip.withUnsafeBufferPointer { skip in
        unsafe y.withUnsafeMutableBufferPointer { y in
          unsafe workspace.withUnsafeMutableBufferPointer { workspace in
            let job = unsafe Job(
              convolution: self, x: x.baseAddress!, skip: skip.isEmpty ? nil : skip.baseAddress,
              activate: activate, y: y.baseAddress!)
            if gathers(outputs) {
              let windows = workspace.baseAddress!
              unsafe job.gather(outputs, into: windows)
              unsafe job.dense(windows, outputs: outputs, apart: window, pool: pool)
            } else if reach == 1 {
              unsafe job.dense(
                x.baseAddress!, outputs: outputs, apart: stride * inputChannels, pool: pool)
            } else {
              job.strided(outputs: outputs, pool: pool)
            }
          }
        }
      }
    }
  }

  /// One call's places. Safe because it never leaves `apply`, which checks every extent first.
  @safe private struct Job {
    let convolution: Convolution
    let x: UnsafePointer<Float>
    let skip: UnsafePointer<Float>?
    let activate: Bool
    let y: UnsafeMutablePointer<Float>

    /// Copies the windows of `outputs` rows side by side.
    func gather(_ outputs: Int, into windows: UnsafeMutablePointer<Float>) {
      let c = convolution
      let bytes = c.inputChannels * MemoryLayout<Float>.stride
      for t in 0..<outputs {
        let first = unsafe x + t * c.stride * c.inputChannels
        let target = unsafe windows + t * c.window
        if c.dilation == 1 {
          unsafe memcpy(target, first, c.taps * bytes)
        } else {
          for j in 0..<c.taps {
            unsafe memcpy(
              target + j * c.inputChannels, first + j * c.dilation * c.inputChannels, bytes)
          }
        }
      }
    }

    /// Windows that lie one by one, `apart` floats from each other.
    func dense(_ windows: UnsafePointer<Float>, outputs: Int, apart: Int, pool: ComputePool) {
      let c = convolution
      let n = c.outputChannels
      if outputs <= Convolution.fewOutputs && apart == c.window {
        var rows = unsafe MutableSpan(_unsafeStart: y, count: outputs * n)
        unsafe c.matrix.multiply(
          Span(_unsafeStart: windows, count: outputs * c.window), count: outputs, into: &rows,
          pool: pool)
        for t in 0..<outputs { close(row: t, columns: 0..<n, adding: true) }
      } else if outputs >= n || n < 2 * Convolution.grain {
        Convolution.split(outputs, pool: pool) { rows in
          for t in rows { open(row: t, columns: 0..<n) }
          unsafe accumulateProduct(
            m: rows.count, n: n, k: c.window, windows + rows.lowerBound * apart, lda: apart,
            c.weights.base, ldb: c.window, into: y + rows.lowerBound * n, ldc: n)
          if activate { for t in rows { close(row: t, columns: 0..<n, adding: false) } }
        }
      } else {
        Convolution.split(n, pool: pool) { columns in
          for t in 0..<outputs { open(row: t, columns: columns) }
          unsafe accumulateProduct(
            m: outputs, n: columns.count, k: c.window, windows, lda: apart,
            c.weights.base + columns.lowerBound * c.window, ldb: c.window,
            into: y + columns.lowerBound, ldc: n)
          if activate {
            for t in 0..<outputs { close(row: t, columns: columns, adding: false) }
          }
        }
      }
    }

    /// Overlapping windows: every q-th output in one product.
    func strided(outputs: Int, pool: ComputePool) {
      let c = convolution
      let n = c.outputChannels
      let q = (c.taps + c.stride - 1) / c.stride
      Convolution.split(outputs, pool: pool) { rows in
        for t in rows { open(row: t, columns: 0..<n) }
        for phase in 0..<min(q, rows.count) {
          let first = rows.lowerBound + phase
          unsafe accumulateProduct(
            m: (rows.count - phase + q - 1) / q, n: n, k: c.window,
            x + first * c.stride * c.inputChannels, lda: q * c.stride * c.inputChannels,
            c.weights.base, ldb: c.window, into: y + first * n, ldc: q * n)
        }
        if activate { for t in rows { close(row: t, columns: 0..<n, adding: false) } }
      }
    }

    /// Starts a row as bias plus skip, for products to add to.
    func open(row: Int, columns: Range<Int>) {
      let c = convolution
      let target = unsafe y + row * c.outputChannels
      let bias = unsafe c.bias.base
      if let skip = unsafe skip {
        let added = unsafe skip + row * c.outputChannels
        for n in columns { unsafe target[n] = bias[n] + added[n] }
      } else {
        for n in columns { unsafe target[n] = bias[n] }
      }
    }

    /// Ends a row: bias and skip if they are not in yet, then ELU if asked for.
    func close(row: Int, columns: Range<Int>, adding: Bool) {
      let c = convolution
      let target = unsafe y + row * c.outputChannels
      if adding {
        let bias = unsafe c.bias.base
        for n in columns { unsafe target[n] += bias[n] }
        if let skip = unsafe skip {
          let added = unsafe skip + row * c.outputChannels
          for n in columns { unsafe target[n] += added[n] }
        }
      }
      if activate {
        unsafe elu(
          target + columns.lowerBound, into: target + columns.lowerBound, count: columns.count)
      }
    }
  }

  /// Smallest piece that a thread is given, in rows or columns.
  private static let grain = 16

  /// Cuts `0 ..< count` into about eight pieces, at borders that depend on `count` only.
  private static func split(_ count: Int, pool: ComputePool, _ body: (Range<Int>) -> Void) {
    let size = max(grain, (count + 8 * grain - 1) / (8 * grain) * grain)
    pool.run(chunks: (count + size - 1) / size) { chunk in
      body(chunk * size..<min(count, (chunk + 1) * size))
    }
  }
}
