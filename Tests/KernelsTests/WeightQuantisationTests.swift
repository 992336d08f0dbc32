import Kernels
import TestSupport
import Testing

@Suite("Quantisation of weights")
struct WeightQuantisationTests {
  private func decoded(_ matrix: WeightMatrix) -> [Float] {
    (0..<matrix.rows).flatMap { row in
      var line = FloatBuffer(count: matrix.columns)
      var span = line.mutableSpan
      matrix.decode(row: row, into: &span)
      return line.array()
    }
  }

  @Test("float32 keeps every bit and bfloat16 rounds to the nearest")
  func floats() {
    let weights: [Float] = [1, -1.001, 3.14159, 1e-20, -65504, 0.00390625 * 1.00390625]
    let pool = ComputePool()
    let exact = WeightMatrix.quantised(weights.span, rows: 2, columns: 3, to: .f32, pool: pool)
    #expect(decoded(exact) == weights)
    let rounded = WeightMatrix.quantised(weights.span, rows: 2, columns: 3, to: .bf16, pool: pool)
    for (w, d) in zip(weights, decoded(rounded)) { #expect(abs(w - d) <= abs(w) / 256) }
  }

  @Test("8 bits err by at most half a step of the group's scale")
  func eightBits() {
    var random = TestRandom(seed: 8)
    let (rows, columns) = (37, 150)
    let weights = random.normal(rows * columns)
    let matrix = WeightMatrix.quantised(
      weights.span, rows: rows, columns: columns, to: .int8, pool: ComputePool(threads: 2))
    let got = decoded(matrix)
    for row in 0..<rows {
      for g in stride(from: 0, to: columns, by: 64) {
        let range = row * columns + g..<row * columns + min(columns, g + 64)
        // The scale is rounded up to a bfloat16: at most 1/128 larger.
        let step = weights[range].map(abs).max()! / 127 * (1 + 1 / 128)
        for i in range { #expect(abs(got[i] - weights[i]) <= 0.5001 * step) }
      }
    }
  }

  @Test("4 bits lose less than the plain range from least to largest, and exact codes stay exact")
  func fourBits() {
    var random = TestRandom(seed: 9)
    let (rows, columns) = (64, 256)
    let weights = random.normal(rows * columns)
    let matrix = WeightMatrix.quantised(
      weights.span, rows: rows, columns: columns, to: .int4, pool: ComputePool(threads: 2))
    var (error, plain) = (0.0, 0.0)
    let got = decoded(matrix)
    for g in stride(from: 0, to: weights.count, by: 32) {
      let (low, high) = (weights[g..<g + 32].min()!, weights[g..<g + 32].max()!)
      let step = (high - low) / 15
      for i in g..<g + 32 {
        let q = ((weights[i] - low) / step).rounded()
        plain += Double((low + q * step - weights[i]) * (low + q * step - weights[i]))
        error += Double((got[i] - weights[i]) * (got[i] - weights[i]))
      }
    }
    #expect(error < 0.9 * plain, "error \(error), plain \(plain)")

    let grid = (0..<64).map { Float($0 % 16) * 0.5 - 2 }
    let exact = WeightMatrix.quantised(
      grid.span, rows: 1, columns: 64, to: .int4, pool: ComputePool())
    #expect(decoded(exact) == grid)
  }

  @Test("4 bits spend their error where activations are small")
  func importance() {
    var random = TestRandom(seed: 10)
    let (rows, columns) = (64, 128)
    let weights = random.normal(rows * columns)
    let importance = (0..<columns).map { Float($0 % 8 == 0 ? 100 : 1) }
    let pool = ComputePool(threads: 2)
    func weighted(_ matrix: WeightMatrix) -> Double {
      zip(decoded(matrix), weights).enumerated().reduce(0.0) {
        let lost = Double($1.element.0 - $1.element.1)
        return $0 + Double(importance[$1.offset % columns]) * lost * lost
      }
    }
    let without = WeightMatrix.quantised(
      weights.span, rows: rows, columns: columns, to: .int4, pool: pool)
    let with = WeightMatrix.quantised(
      weights.span, rows: rows, columns: columns, to: .int4, importance: importance, pool: pool)
    #expect(weighted(with) < 0.7 * weighted(without))
  }

  @Test("groups of equal weights, of zeros, and tiny ones come out finite and close")
  func specialGroups() {
    let rows: [[Float]] = [
      [Float](repeating: 0, count: 70), [Float](repeating: 0.75, count: 70),
      (0..<70).map { Float($0) * 1e-30 }, (0..<70).map { $0 == 5 ? 1000 : 0.001 },
    ]
    let weights = rows.flatMap { $0 }
    for format in [WeightFormat.int8, .int4] {
      let matrix = WeightMatrix.quantised(
        weights.span, rows: rows.count, columns: 70, to: format, pool: ComputePool())
      let got = decoded(matrix)
      for (index, row) in rows.enumerated() {
        let largest = row.map(abs).max()!
        for i in row.indices {
          let value = got[index * 70 + i]
          #expect(value.isFinite && abs(value - row[i]) <= largest / 25, "\(format) \(index) \(i)")
        }
      }
    }
  }

  @Test("threads do not change the bits")
  func threads() {
    var random = TestRandom(seed: 11)
    let weights = random.normal(100 * 100)
    for format in WeightFormat.allCases {
      let results = [1, 3].map { threads in
        decoded(
          WeightMatrix.quantised(
            weights.span, rows: 100, columns: 100, to: format, pool: ComputePool(threads: threads)))
      }
      #expect(results[0] == results[1])
    }
  }
}
