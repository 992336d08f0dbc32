// What every head says at the end of a segment: the raw material of probes.
//
// In: codes of segments (T, K), no text. Out: z (L, H, D) of the last position, the same that the generator
// reads at the first step behind a prompt of that length. Several segments share a pass over the weights.
// Source: paper 2.2.

package import Kernels

/// Reads the heads' outputs at the last step of segments.
package final class ActivationReader {
  package let model: LanguageModel
  /// Segments that share a pass.
  package let segmentsAtOnce: Int
  private let pool: ComputePool
  private let workspace: LanguageModelWorkspace
  private let pattern: DelayPattern

  package init(model: LanguageModel, segmentsAtOnce: Int = 8, pool: ComputePool) {
    self.model = model
    self.segmentsAtOnce = max(segmentsAtOnce, 1)
    self.pool = pool
    workspace = LanguageModelWorkspace(config: model.config)
    pattern = DelayPattern(
      codebooks: model.config.codebooks, channels: model.config.audioChannels)
  }

  /// Reads segments, in blocks of `segmentsAtOnce`.
  ///
  /// - Parameters:
  ///   - segments: codes (T, K) each, at least one frame.
  ///   - progress: called behind every block with the segments done.
  /// - Returns: z (L, H, D) of each segment's last position.
  package func read(_ segments: [[Int32]], progress: (Int) throws -> Void = { _ in }) rethrows
    -> [[Float]]
  {
    var result: [[Float]] = []
    result.reserveCapacity(segments.count)
    var start = 0
    while start < segments.count {
      let end = min(start + segmentsAtOnce, segments.count)
      let streams = segments[start..<end].map { codes in
        let stream = LanguageModelStream(
          config: model.config, capacity: codes.count / pattern.codebooks + 1)
        feed(codes, to: stream)
        return stream
      }
      model.step(streams, workspace: workspace, pool: pool)
      for stream in streams { stream.withHeadOutputs { result.append($0.array()) } }
      start = end
      try progress(end)
    }
    return result
  }

  /// Feeds the special token and every step that `codes` (T, K) fill in part.
  private func feed(_ codes: [Int32], to stream: LanguageModelStream) {
    let K = pattern.codebooks
    let frames = codes.count / K
    var tokens = [Int32](repeating: 0, count: K)
    for step in 0...frames {
      for k in 0..<K {
        let frame = pattern.frame(step: step, codebook: k)
        tokens[k] = frame >= 0 ? codes[frame * K + k] : Int32(model.config.cardinality)
      }
      stream.feed(tokens)
    }
  }
}
