// One-dimensional convolution over rows, as a matrix product without copying windows.
//
// A signal is (T, C): time by channels, so the window of output t, taps · C numbers, lies in one piece
// from row t · stride on, and the kernel (CKernels/body_windows.h) reads overlapping windows where they
// lie. Only dilated windows are gathered first. Padding is the caller's business: only windows that
// lie inside the input are computed. The arrangement is ours.

internal import CKernels

#if canImport(Glibc)
  import Glibc
#endif

/// Weights of a convolution, arranged for the kernel: y[t] = bias + Σⱼ Wⱼ x[t·stride + j·dilation].
package struct Convolution: Sendable {
  package let inputChannels: Int
  package let outputChannels: Int
  /// Rows of input that one output looks at.
  package let taps: Int
  /// Rows between the windows of two neighbouring outputs.
  package let stride: Int
  /// Rows between two taps.
  package let dilation: Int
  /// (⌈outputs / 32⌉, taps · inputs, 32); for one output (taps · inputs).
  private let panels: ConstantBuffer<Float>
  /// The same in 16 bits, with one scale per output, when the weights are compact.
  private let words: (values: ConstantBuffer<Int16>, scales: ConstantBuffer<Float>)?
  private let bias: ConstantBuffer<Float>  // (outputs rounded up to 32)

  /// Rows from the first to the last tap.
  package var reach: Int { (taps - 1) * dilation + 1 }
  /// Numbers in one window.
  private var window: Int { taps * inputChannels }
  private var panelCount: Int { (outputChannels + Self.panelWidth - 1) / Self.panelWidth }

  /// Outputs of one panel, as the kernel has them.
  private static let panelWidth = 32

  /// Arranges weights.
  ///
  /// - Parameters:
  ///   - weights: (outputChannels, inputChannels, taps), as checkpoints store them.
  ///   - bias: (outputChannels).
  ///   - compact: keeps the weights in 16 bits with one scale per output: half of the memory to read,
  ///     and an error of at most 2⁻¹⁶ of an output's largest weight in each.
  package init(
    weights: [Float], bias: [Float], inputChannels: Int, outputChannels: Int, taps: Int,
    stride: Int = 1, dilation: Int = 1, compact: Bool = false
  ) {
    precondition(weights.count == outputChannels * inputChannels * taps, "shapes do not fit")
    self.init(
      bias: bias, inputChannels: inputChannels, outputChannels: outputChannels, taps: taps,
      stride: stride, dilation: dilation, compact: compact
    ) { panels, place in
      var index = 0
      for output in 0..<outputChannels {
        for channel in 0..<inputChannels {
          for tap in 0..<taps {
            panels[place(output, tap * inputChannels + channel)] = weights[index]
            index += 1
          }
        }
      }
    }
  }

  /// Arranges weights that `fill` writes, each to the place of (output, tap · inputChannels + input).
  init(
    bias: [Float], inputChannels: Int, outputChannels: Int, taps: Int, stride: Int = 1,
    dilation: Int = 1, compact: Bool = false,
    fill: (_ panels: inout MutableSpan<Float>, _ place: (Int, Int) -> Int) -> Void
  ) {
    precondition(bias.count == outputChannels && stride >= 1 && dilation >= 1 && taps >= 1)
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.taps = taps
    self.stride = stride
    self.dilation = dilation
    let window = taps * inputChannels
    let width = outputChannels == 1 ? 1 : Self.panelWidth
    let padded = (outputChannels + width - 1) / width * width
    let panels = ConstantBuffer<Float>(count: padded * window) { panels in
      fill(&panels) { output, i in
        ((output / width) * window + i) * width + output % width
      }
    }
    if compact && width > 1 {
      words = Self.compacted(panels, outputs: padded, window: window)
      self.panels = ConstantBuffer<Float>(count: 0) { _ in }
    } else {
      words = nil
      self.panels = panels
    }
    self.bias = ConstantBuffer<Float>(count: padded) { span in
      for index in bias.indices { span[index] = bias[index] }
    }
  }

  /// The panels' weights in 16 bits: each output's largest is 32767 of its scale.
  private static func compacted(_ panels: ConstantBuffer<Float>, outputs: Int, window: Int)
    -> (values: ConstantBuffer<Int16>, scales: ConstantBuffer<Float>)
  {
    let width = panelWidth
    let weights = panels.span
    let scales = ConstantBuffer<Float>(count: outputs) { scales in
      for i in 0..<outputs * window {
        let output = i / (window * width) * width + i % width
        scales[output] = max(scales[output], abs(weights[i]) / 32_767)
      }
    }
    let divisors = scales.span
    let values = ConstantBuffer<Int16>(count: outputs * window) { values in
      for i in 0..<outputs * window {
        let scale = divisors[i / (window * width) * width + i % width]
        values[i] = scale > 0 ? Int16((weights[i] / scale).rounded()) : 0
      }
    }
    return (values, scales)
  }

  /// Floats of workspace that `apply` needs for `outputs` rows.
  package func workspaceCount(outputs: Int) -> Int {
    dilation > 1 && taps > 1 ? outputs * window : 0
  }

  /// Computes `outputs` rows. A row's result does not depend on how many are computed together.
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
            guard let x = x.baseAddress, let y = y.baseAddress else { return }
            var job = unsafe Job(
              windows: x, apart: stride * inputChannels,
              skip: skip.isEmpty ? nil : skip.baseAddress,
              activate: activate, y: y)
            if dilation > 1 && taps > 1, let gathered = workspace.baseAddress {
              unsafe gather(x, outputs: outputs, into: gathered)
              job = unsafe Job(
                windows: gathered, apart: window, skip: job.skip, activate: activate, y: y)
            }
            split(job, outputs: outputs, pool: pool)
          }
        }
      }
    }
  }

  /// One call's places. Safe because it never leaves `apply`, which checks every extent first.
  @safe private struct Job {
    let windows: UnsafePointer<Float>
    let apart: Int
    let skip: UnsafePointer<Float>?
    let activate: Bool
    let y: UnsafeMutablePointer<Float>
  }

  /// Copies dilated windows side by side.
  @unsafe private func gather(
    _ x: UnsafePointer<Float>, outputs: Int, into windows: UnsafeMutablePointer<Float>
  ) {
    let bytes = inputChannels * MemoryLayout<Float>.stride
    for t in 0..<outputs {
      for tap in 0..<taps {
        unsafe memcpy(
          windows + t * window + tap * inputChannels,
          x + (t * stride + tap * dilation) * inputChannels, bytes)
      }
    }
  }

  /// Shares the work: by rows where there are many, else by panels, in pieces whose borders depend on
  /// the shapes only.
  private func split(_ job: Job, outputs: Int, pool: ComputePool) {
    let work = outputs * outputChannels * window
    let pieces = min(16, max(1, work / 65_536))
    if outputs >= 192 || panelCount < 4 {
      // Twelve rows are computed together on the widest processors.
      let size = ((outputs + pieces - 1) / pieces + 11) / 12 * 12
      pool.run(chunks: (outputs + size - 1) / size) { chunk in
        let rows = chunk * size..<min(outputs, (chunk + 1) * size)
        compute(job, rows: rows, panels: 0..<panelCount)
      }
    } else {
      let size = (panelCount + pieces - 1) / pieces
      pool.run(chunks: (panelCount + size - 1) / size) { chunk in
        let part = chunk * size..<min(panelCount, (chunk + 1) * size)
        compute(job, rows: 0..<outputs, panels: part)
      }
    }
  }

  private func compute(_ job: Job, rows: Range<Int>, panels part: Range<Int>) {
    var weights = unsafe continuo_windows(
      panels: panels.base, words: words?.values.base, scales: words?.scales.base,
      bias: bias.base, k: window, outputs: outputChannels)
    let first = rows.lowerBound
    unsafe continuo_windows_product(
      &weights, part.lowerBound, part.upperBound, job.windows + first * job.apart, job.apart,
      rows.count, job.skip.map { unsafe $0 + first * outputChannels }, job.activate ? 1 : 0,
      job.y + first * outputChannels)
  }
}
