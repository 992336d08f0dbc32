// Choosing the next code from logits: guidance, temperature, top-k, top-p.
//
// Order and meaning follow transformers' logits processors: guidance on raw logits, then temperature,
// top-k, top-p, and a draw.

import RealModule

/// How codes are drawn.
package struct SamplingSettings: Sendable, Equatable, Codable {
  /// Divides the logits; 0 takes the most likely code.
  package var temperature: Float
  /// Only the k most likely codes are drawn from; 0 for all.
  package var topK: Int
  /// Only the most likely codes that together reach this probability; 1 for all.
  package var topP: Float
  /// Weight of the text branch: u + guidance · (c − u). Without text it has no effect.
  package var guidance: Float
  /// Nats that the codes of the prompt's theme are likelier by than the model says, in the first two codebooks; 0 for
  /// none. See `Pulse`.
  package var recall: Float
  package var seed: UInt64

  /// Defaults are MusicGen's.
  package init(
    temperature: Float = 1, topK: Int = 250, topP: Float = 1, guidance: Float = 3,
    recall: Float = 0, seed: UInt64 = 0
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.guidance = guidance
    self.recall = recall
    self.seed = seed
  }
}

/// Draws codes. Holds scratch memory for one thread; a draw allocates nothing.
package struct Sampler {
  private var candidates: [Int32]
  private var scratch: [Float]

  /// - Parameter cardinality: V.
  package init(cardinality: Int) {
    candidates = [Int32](repeating: 0, count: cardinality)
    scratch = [Float](repeating: 0, count: cardinality)
  }

  /// logits ← u + guidance · (c − u), with c in `logits`.
  package static func guide(
    _ logits: inout MutableSpan<Float>, unconditional: Span<Float>, guidance: Float
  ) {
    for i in 0..<logits.count {
      logits[i] = unconditional[i] + guidance * (logits[i] - unconditional[i])
    }
  }

  /// Whether every logit is a number.
  package static func areFinite(_ logits: Span<Float>) -> Bool {
    var sum: Float = 0
    for i in 0..<logits.count { sum += abs(logits[i]) }
    return sum.isFinite
  }

  /// The drawn code. Codes that tie with the k-th most likely one stay in, as in the reference. Where
  /// numbers are missing (NaN), the likeliest of those that are there, or 0.
  ///
  /// - Parameters:
  ///   - logits: (V), finite.
  ///   - uniform: a number in [0, 1) that decides.
  package mutating func draw(_ logits: Span<Float>, settings: SamplingSettings, uniform: Float)
    -> Int32
  {
    let count = logits.count
    precondition(count == scratch.count, "\(count) logits for \(scratch.count) codes")
    var best = 0
    for i in 1..<max(count, 1) where logits[i] > logits[best] || logits[best].isNaN { best = i }
    if logits[best].isNaN { best = 0 }
    guard settings.temperature > 0, settings.topK != 1 else { return Int32(best) }

    var threshold = -Float.infinity
    if settings.topK > 0, settings.topK < count {
      for i in 0..<count { scratch[i] = logits[i] }
      threshold = largest(settings.topK)
    }
    var kept = 0
    let peak = logits[best]
    var total: Float = 0
    for i in 0..<count where logits[i] >= threshold {
      scratch[i] = Float.exp((logits[i] - peak) / settings.temperature)
      total += scratch[i]
      candidates[kept] = Int32(i)
      kept += 1
    }
    if settings.topP < 1 {
      sortCandidates(kept)
      var reached: Float = 0
      for i in 0..<kept {
        reached += scratch[Int(candidates[i])]
        if reached >= settings.topP * total {
          kept = i + 1
          total = reached
          break
        }
      }
    }
    guard kept > 0 else { return Int32(best) }
    let target = uniform * total
    var sum: Float = 0
    for i in 0..<kept {
      sum += scratch[Int(candidates[i])]
      if target < sum { return candidates[i] }
    }
    return candidates[kept - 1]
  }

  /// The `k`-th largest number in `scratch`, which is reordered (Hoare's selection).
  private mutating func largest(_ k: Int) -> Float {
    var (low, high) = (0, scratch.count - 1)
    let wanted = k - 1
    while low < high {
      let pivot = scratch[(low + high) / 2]
      var (i, j) = (low, high)
      while i <= j {
        while scratch[i] > pivot { i += 1 }
        while scratch[j] < pivot { j -= 1 }
        if i <= j {
          scratch.swapAt(i, j)
          i += 1
          j -= 1
        }
      }
      if wanted <= j {
        high = j
      } else if wanted >= i {
        low = i
      } else {
        break
      }
    }
    return scratch[wanted]
  }

  /// Sorts the first `count` candidates by falling weight, ties by rising code, in place (heap sort).
  private mutating func sortCandidates(_ count: Int) {
    func follows(_ a: Int32, _ b: Int32) -> Bool {
      let (x, y) = (scratch[Int(a)], scratch[Int(b)])
      return x < y || (x == y && a > b)
    }
    func sift(_ start: Int, _ end: Int) {
      var root = start
      while 2 * root + 1 < end {
        var child = 2 * root + 1
        if child + 1 < end, follows(candidates[child + 1], candidates[child]) { child += 1 }
        guard follows(candidates[child], candidates[root]) else { return }
        candidates.swapAt(root, child)
        root = child
      }
    }
    for start in stride(from: count / 2 - 1, through: 0, by: -1) { sift(start, count) }
    for end in stride(from: count - 1, to: 0, by: -1) {
      candidates.swapAt(0, end)
      sift(0, end)
    }
  }
}
