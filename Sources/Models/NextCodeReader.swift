// What the language model expects next, at every place of given codes: its loss, and its likeliest codes.
//
// In: codes (T, K) and, where there is one, a text. Out: cross entropy per codebook in nats, or the most likely code
// at each place (T, K). Teacher-forced under the delay pattern: the codes of all steps before are the given ones.
// Source: METHOD 1; the whole sequence is fed in blocks, whose logits are all kept.

package import Kernels
import RealModule

/// Reads codes through a language model. Used from one thread.
package final class NextCodeReader {
  private let model: LanguageModel
  private let pool: ComputePool
  private let workspace: LanguageModelWorkspace
  private let pattern: DelayPattern

  /// Positions that are computed at a time.
  private static let block = 64

  package init(model: LanguageModel, pool: ComputePool) {
    self.model = model
    self.pool = pool
    workspace = LanguageModelWorkspace(config: model.config)
    pattern = DelayPattern(
      codebooks: model.config.codebooks, channels: model.config.audioChannels)
  }

  /// Sum of the negative logarithms of the given codes' probabilities, and how many codes there are.
  package struct Loss: Sendable, Codable, Equatable {
    /// Nats, per codebook (K).
    package var sums: [Double]
    /// Codes of each codebook.
    package var count: Int

    package init(codebooks: Int) {
      sums = [Double](repeating: 0, count: codebooks)
      count = 0
    }

    /// Nats per code, per codebook (K).
    package var means: [Double] { sums.map { $0 / Double(max(count, 1)) } }

    package static func += (a: inout Loss, b: Loss) {
      for book in a.sums.indices { a.sums[book] += b.sums[book] }
      a.count += b.count
    }
  }

  /// The loss of codes.
  /// - Parameter codes: (T, K), at most a window (1500 steps, with the delays).
  package func loss(of codes: [Int32], text: TextContext? = nil) -> Loss {
    let K = model.config.codebooks
    var loss = Loss(codebooks: K)
    loss.count = codes.count / K
    read(codes, text: text) { frame, book, logits in
      let target = Int(codes[frame * K + book])
      var largest = -Float.infinity
      for i in 0..<logits.count { largest = max(largest, logits[i]) }
      var total = 0.0
      for i in 0..<logits.count { total += Double(Float.exp(logits[i] - largest)) }
      loss.sums[book] += Double.log(total) + Double(largest - logits[target])
    }
    return loss
  }

  /// The most likely code at every place, the first one of equals.
  /// - Returns: (T, K).
  package func choices(of codes: [Int32], text: TextContext? = nil) -> [Int32] {
    let K = model.config.codebooks
    var result = [Int32](repeating: 0, count: codes.count)
    read(codes, text: text) { frame, book, logits in
      var best = 0
      for i in 1..<logits.count where logits[i] > logits[best] { best = i }
      result[frame * K + book] = Int32(best)
    }
    return result
  }

  /// Calls `body` with frame, codebook and logits (V) of every place.
  private func read(
    _ codes: [Int32], text: TextContext?, _ body: (Int, Int, Span<Float>) -> Void
  ) {
    let config = model.config
    let (K, V) = (config.codebooks, config.cardinality)
    precondition(codes.count % K == 0, "codes have whole frames")
    let frames = codes.count / K
    // The last position's logits would be of no place.
    let positions = frames == 0 ? 0 : frames + pattern.longestDelay
    let stream = LanguageModelStream(
      config: config, capacity: max(positions, 1), cacheFormat: model.cacheFormat)
    stream.text = text
    stream.keepsAllLogits = true
    var tokens = [Int32](repeating: 0, count: K)
    var start = 0
    while start < positions {
      let end = min(start + Self.block, positions)
      for position in start..<end {
        for book in 0..<K {
          let frame = pattern.frame(step: position, codebook: book)
          let isKnown = frame >= 0 && frame < frames
          tokens[book] = isKnown ? codes[frame * K + book] : Int32(V)
        }
        stream.feed(tokens)
      }
      model.step([stream], workspace: workspace, pool: pool)
      stream.withLogits { logits, columns in
        precondition(columns == end - start)
        for column in 0..<columns {
          for book in 0..<K {
            let frame = pattern.frame(step: start + column + 1, codebook: book)
            guard frame >= 0, frame < frames else { continue }
            let first = (column * K + book) * V
            body(frame, book, logits.span(first..<first + V))
          }
        }
      }
      start = end
    }
  }
}
