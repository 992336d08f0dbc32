// Whether this build and the reference implementation would choose the same codes, fed the same ones.
//
// Reads what `Training/agreement.py` writes into agreement.safetensors: `agreement.codes` (N, K, T),
// `agreement.choices` (N, K, T), the reference's most likely code at every place given all codes before it, and
// `agreement.gap` (N, K, T), how far its second choice lies behind, in nats.

package import Kernels

/// Checks a model's choices.
package struct AgreementCheck {
  private let model: MusicGen
  private let sheet: CheckSheet
  private let pool: ComputePool

  /// The share of places that must be the same (issue “The house band”).
  package static let least = 0.995

  package init(model: MusicGen, sheet: CheckSheet, pool: ComputePool) {
    self.model = model
    self.sheet = sheet
    self.pool = pool
  }

  /// Whether the sheet is of this kind.
  package static func knows(_ sheet: CheckSheet) -> Bool {
    sheet.has("agreement.codes") && sheet.has("agreement.choices")
  }

  /// Compares the choices at every place.
  package func run() throws {
    let shape = try sheet.shape("agreement.codes")
    let config = model.config.decoder
    guard shape.count == 3, shape[1] == config.codebooks, shape.allSatisfy({ $0 > 0 }) else {
      sheet.skip(
        "agreement.choices",
        because: "its codes have the shape \(shape), (N, \(config.codebooks), T) is needed")
      return
    }
    let (pieces, K, frames) = (shape[0], shape[1], shape[2])
    let codes = try sheet.integers("agreement.codes")
    guard codes.allSatisfy({ (0..<Int32(config.cardinality)).contains($0) }) else {
      sheet.skip("agreement.choices", because: "a code is outside the codebook")
      return
    }
    sheet.input("agreement.codes")
    sheet.input("agreement.gap")
    let gaps = sheet.has("agreement.gap") ? try sheet.floats("agreement.gap") : []
    let expected = try sheet.integers("agreement.choices")
    let reader = NextCodeReader(model: model.languageModel, pool: pool)
    var found: [Int32] = []
    var widest: Float = 0
    for piece in 0..<pieces {
      let base = piece * K * frames
      let own = (0..<frames * K).map { codes[base + $0 % K * frames + $0 / K] }
      let choices = reader.choices(of: own)  // (T, K)
      for book in 0..<K {
        for frame in 0..<frames {
          let choice = choices[frame * K + book]
          let place = base + book * frames + frame
          if place < expected.count, choice != expected[place], place < gaps.count {
            widest = max(widest, gaps[place])
          }
          found.append(choice)
        }
      }
    }
    sheet.compareShare(
      "agreement.choices", found, expected: expected, least: Self.least,
      note: gaps.isEmpty ? "" : "where they differ its choices lie at most \(widest) nats apart")
  }
}
