// Rate conversion by libsoxr: whole clips with exact length, and streams block by block.
// One channel per resampler. Linear phase; the filter's delay is taken out, so the n-th second of the
// input is the n-th second of the output.

import CSoxr
package import Reporting

/// How good a conversion is (libsoxr's recipes).
package enum ResamplingQuality: Sendable {
  /// 20 bits of precision: for a model's input.
  case high
  /// 28 bits of precision: for what is listened to.
  case veryHigh
}

/// A conversion that libsoxr refuses.
package enum ResamplerError: Explained, Equatable {
  case refused(from: Double, to: Double, reason: String)

  package var kind: FailureKind { .data }
  package var problem: String {
    switch self {
    case .refused(let from, let to, let reason):
      "cannot convert from \(from) Hz to \(to) Hz: \(reason)"
    }
  }
  package var remedy: String { "choose rates between 1 kHz and 768 kHz" }
}

/// Converts one channel as a stream. Used from one thread; not for the audio thread.
///
/// Safe: the pointer never leaves this type and is freed exactly once, in `deinit`; libsoxr gets the
/// true sizes of the spans it reads and writes.
@safe package struct Resampler: ~Copyable {
  private let state: soxr_t?
  /// Input frames per second.
  package let inputRate: Double
  /// Output frames per second.
  package let outputRate: Double

  /// - Parameters:
  ///   - inputRate, outputRate: frames per second, 1 000 … 768 000.
  /// - Throws: `ResamplerError`.
  package init(
    from inputRate: Double, to outputRate: Double, quality: ResamplingQuality = .high
  ) throws {
    let sensible = 1_000.0...768_000.0
    guard sensible.contains(inputRate), sensible.contains(outputRate) else {
      throw ResamplerError.refused(from: inputRate, to: outputRate, reason: "outside the range")
    }
    var made: soxr_t?
    if inputRate != outputRate {
      unsafe made = try Self.make(inputRate, outputRate, quality)
    }
    unsafe state = made
    self.inputRate = inputRate
    self.outputRate = outputRate
  }

  private static func make(
    _ inputRate: Double, _ outputRate: Double, _ quality: ResamplingQuality
  ) throws -> soxr_t {
    var recipe = unsafe soxr_quality_spec(
      UInt(quality == .high ? SOXR_20_BITQ : SOXR_28_BITQ), 0)
    var threads = unsafe soxr_runtime_spec(1)
    var error: soxr_error_t?
    guard
      let state = unsafe soxr_create(inputRate, outputRate, 1, &error, nil, &recipe, &threads)
    else {
      let reason = unsafe error.map { unsafe String(cString: $0) } ?? "out of memory"
      throw ResamplerError.refused(from: inputRate, to: outputRate, reason: reason)
    }
    return unsafe state
  }

  deinit { unsafe soxr_delete(state) }

  /// Converts as much of `input` as `output` has room for.
  /// - Returns: input frames used up and output frames written. The stream holds some frames back
  ///   until it has seen what follows; `drain` brings the rest.
  package mutating func process(
    _ input: Span<Float>, into output: inout MutableSpan<Float>
  ) -> (used: Int, made: Int) {
    guard unsafe state != nil else {
      let count = min(input.count, output.count)
      for index in 0..<count { output[index] = input[index] }
      return (count, count)
    }
    var used = 0
    var made = 0
    unsafe input.withUnsafeBufferPointer { source in
      unsafe output.withUnsafeMutableBufferPointer { target in
        // libsoxr takes a null input as the end of the stream: an empty span must not look like it.
        guard let start = source.baseAddress, !source.isEmpty, let room = target.baseAddress else {
          return
        }
        unsafe _ = soxr_process(state, start, source.count, &used, room, target.count, &made)
      }
    }
    return (used, made)
  }

  /// Brings what the stream still holds back, as much as `output` has room for; 0 when there is no more.
  /// After the first call the stream is at its end until `reset`.
  package mutating func drain(into output: inout MutableSpan<Float>) -> Int {
    guard unsafe state != nil else { return 0 }
    var made = 0
    unsafe output.withUnsafeMutableBufferPointer { target in
      guard let room = target.baseAddress else { return }
      unsafe _ = soxr_process(state, nil, 0, nil, room, target.count, &made)
    }
    return made
  }

  /// Forgets everything: ready for a new stream.
  package mutating func reset() { unsafe _ = soxr_clear(state) }

  /// Output frames that have been taken in but not given out, as of now.
  package var delay: Double { unsafe state == nil ? 0 : soxr_delay(state) }

  /// Output frames that `count` input frames give.
  package static func length(of count: Int, from inputRate: Int, to outputRate: Int) -> Int {
    Int((Double(count) * Double(outputRate) / Double(inputRate)).rounded())
  }

  /// Converts a whole channel. The result has exactly `length(of:from:to:)` frames.
  /// - Throws: `ResamplerError`.
  package static func resample(
    _ input: [Float], from inputRate: Int, to outputRate: Int, quality: ResamplingQuality = .high
  ) throws -> [Float] {
    guard inputRate != outputRate else { return input }
    var resampler = try Resampler(
      from: Double(inputRate), to: Double(outputRate), quality: quality)
    let length = length(of: input.count, from: inputRate, to: outputRate)
    var output = [Float](repeating: 0, count: length)
    var made = 0
    var used = 0
    var block = [Float](repeating: 0, count: 8192)
    while made < length {
      var room = block.mutableSpan
      let new: Int
      if used < input.count {
        let step = resampler.process(input.span.extracting(used..<input.count), into: &room)
        used += step.used
        new = step.made
      } else {
        new = resampler.drain(into: &room)
        guard new > 0 else { break }
      }
      for index in 0..<min(new, length - made) { output[made + index] = block[index] }
      made += new
    }
    return output
  }
}
