// How far a model in a smaller format is from itself in float32.
//
// Codes are drawn by the float32 model; both models then read the same codes, and at every place their
// distributions of the next code are compared: Kullback-Leibler divergence of the quantised one from the
// exact one, in nats per code, and how often the most likely code is the same. Ours.

package import Kernels
import RealModule

/// What the comparison of one format found.
package struct QuantisationScore: Sendable, Codable, Equatable {
  package var format: WeightFormat
  /// Mean over all codes of Σ p ln(p/q), nats.
  package var divergence: Double
  /// The largest value of a single code's divergence.
  package var worst: Double
  /// Share of codes whose most likely value is the same, 0 … 1.
  package var agreement: Double
  /// Codes compared.
  package var codes: Int
  /// Bytes of weights that a step reads.
  package var weightBytes: Int

  package init(
    format: WeightFormat, divergence: Double, worst: Double, agreement: Double, codes: Int,
    weightBytes: Int
  ) {
    self.format = format
    self.divergence = divergence
    self.worst = worst
    self.agreement = agreement
    self.codes = codes
    self.weightBytes = weightBytes
  }

  /// The bars below which a format may be a default: nats per code (issue "Fast").
  package static func limit(_ format: WeightFormat) -> Double {
    switch format {
    case .f32, .bf16, .int8: 0.005
    case .int4: 0.05
    }
  }
  /// Whether the format may be a default.
  package var passes: Bool { divergence <= Self.limit(format) }
}

/// Compares models of one checkpoint.
package struct QuantisationEvaluation {
  private let exact: LanguageModel
  private let pool: ComputePool
  private let clips: [[Int32]]  // (frames, K) each

  /// Draws the clips that are compared.
  ///
  /// - Parameters:
  ///   - exact: the float32 model.
  ///   - frames: length of a clip, below the window of 1500.
  ///   - prompts: codes (frames, K) that the clips begin with, one per clip; none begins with nothing.
  ///   - seed: clip i is drawn with seed + i.
  package init(
    exact: LanguageModel, clips count: Int, frames: Int, prompts: [[Int32]] = [],
    settings: SamplingSettings = SamplingSettings(), pool: ComputePool
  ) {
    precondition(count > 0 && frames > 0, "nothing to compare")
    self.exact = exact
    self.pool = pool
    clips = (0..<count).map { index in
      var own = settings
      own.seed &+= UInt64(index)
      let prompt = prompts.isEmpty ? [] : prompts[index % prompts.count]
      let generator = CodeGenerator(
        model: exact, prompt: prompt, settings: own, frameLimit: frames, pool: pool)
      while generator.wholeFrames < frames { generator.step() }
      return generator.codes(0..<frames)
    }
  }

  /// Compares `model`, the same checkpoint in another format.
  package func score(_ model: LanguageModel, progress: (Double) -> Void = { _ in })
    -> QuantisationScore
  {
    let config = exact.config
    let (K, V) = (config.codebooks, config.cardinality)
    let pattern = DelayPattern(codebooks: K, channels: config.audioChannels)
    let workspace = LanguageModelWorkspace(config: config)
    var (total, worst, same, count) = (0.0, 0.0, 0, 0)
    for (index, codes) in clips.enumerated() {
      let frames = codes.count / K
      let streams = [exact, model].map {
        LanguageModelStream(
          config: config, capacity: frames + K + 1, cacheFormat: $0.cacheFormat)
      }
      for step in 0...(frames + pattern.longestDelay) {
        let tokens = (0..<K).map { book in
          let frame = pattern.frame(step: step, codebook: book)
          return (0..<frames).contains(frame) ? codes[frame * K + book] : Int32(V)
        }
        for (stream, model) in zip(streams, [exact, model]) {
          stream.feed(tokens)
          model.step([stream], workspace: workspace, pool: pool)
        }
        let (p, q) = (logits(streams[0]), logits(streams[1]))
        for book in 0..<K {
          let frame = pattern.frame(step: step + 1, codebook: book)
          guard (0..<frames).contains(frame) else { continue }
          let part = book * V..<(book + 1) * V
          let (divergence, agrees) = compare(Array(p[part]), Array(q[part]))
          total += divergence
          worst = max(worst, divergence)
          same += agrees ? 1 : 0
          count += 1
        }
      }
      progress(Double(index + 1) / Double(clips.count))
    }
    return QuantisationScore(
      format: model.format, divergence: total / Double(count), worst: worst,
      agreement: Double(same) / Double(count), codes: count,
      weightBytes: model.weightBytes(withText: false))
  }

  private func logits(_ stream: LanguageModelStream) -> [Float] {
    stream.withLogits { logits, _ in logits.array() }
  }

  /// Σ p ln(p/q) of two distributions given by their logits, and whether their largest agree.
  private func compare(_ a: [Float], _ b: [Float]) -> (Double, Bool) {
    func logarithms(_ logits: [Float]) -> (values: [Double], best: Int) {
      let best = logits.indices.max { logits[$0] < logits[$1] } ?? 0
      let largest = Double(logits[best])
      let total = logits.reduce(0.0) { $0 + Double.exp(Double($1) - largest) }
      let shift = largest + Double.log(total)
      return (logits.map { Double($0) - shift }, best)
    }
    let (p, q) = (logarithms(a), logarithms(b))
    let divergence = zip(p.values, q.values).reduce(0.0) {
      $0 + Double.exp($1.0) * ($1.0 - $1.1)
    }
    return (max(divergence, 0), p.best == q.best)
  }
}
