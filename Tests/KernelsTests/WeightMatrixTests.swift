import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Weight matrix")
struct WeightMatrixTests {
  private static let shapes = [
    (1, 1), (3, 5), (16, 64), (17, 31), (33, 32), (48, 65), (100, 200), (40, 384), (7, 1024),
    (65, 640),
  ]

  /// The product as its definition says, and for every result a bound on what it may differ by:
  /// roundings of a float sum of n terms stay below about n epsilon times the sum of their sizes.
  private func slow(
    _ matrix: WeightMatrix, _ x: [Float], count: Int
  ) -> (values: [Double], bounds: [Double]) {
    let (rows, columns) = (matrix.rows, matrix.columns)
    var values = [Double](repeating: 0, count: count * rows)
    var bounds = values
    for row in 0..<rows {
      var weights = FloatBuffer(count: columns)
      var span = weights.mutableSpan
      matrix.decode(row: row, into: &span)
      let w = weights.array()
      let tallest = Double(w.map(abs).max()!)
      for c in 0..<count {
        var (sum, size) = (0.0, 0.0)
        for g in stride(from: 0, to: columns, by: matrix.layout.group) {
          let range = g..<min(columns, g + matrix.layout.group)
          let part = x[c * columns + range.lowerBound..<c * columns + range.upperBound]
          let largest = part.map(abs).max() ?? 0
          let quantised = matrix.format == .int8 || matrix.format == .int4
          for i in range {
            var a = x[c * columns + i]
            if quantised {
              // Activations are rounded to 127 steps of their group's largest.
              let inverse: Float = largest > 0 ? 127 / largest : 0
              a = (a * inverse).rounded(.toNearestOrEven) * (largest / 127)
            }
            sum += Double(a) * Double(w[i])
            size += abs(Double(a) * Double(w[i]))
            // The 4-bit product adds codes and offsets by themselves, which can be larger.
            if matrix.format == .int4 { size += 2 * Double(abs(a)) * tallest }
          }
        }
        values[c * rows + row] = sum
        bounds[c * rows + row] = size * Double(columns + 8) * Double(Float.ulpOfOne)
      }
    }
    return (values, bounds)
  }

  private func product(
    _ matrix: WeightMatrix, _ x: [Float], count: Int, threads: Int = 2
  ) -> [Float] {
    var y = FloatBuffer([Float](repeating: .nan, count: count * matrix.rows))
    var span = y.mutableSpan
    matrix.multiply(x.span, count: count, into: &span, pool: ComputePool(threads: threads))
    return y.array()
  }

  @Test(
    "multiplies as the decoded weights do, in every format and odd size",
    arguments: WeightFormat.allCases)
  func definition(format: WeightFormat) {
    var random = TestRandom(seed: 3)
    let pool = ComputePool(threads: 2)
    for (rows, columns) in Self.shapes {
      let weights = random.normal(rows * columns, scale: 0.1)
      let groups = format == .int8 || format == .int4 ? [32, 64, 128] : [1]
      for group in groups {
        let matrix = WeightMatrix.quantised(
          weights.span, rows: rows, columns: columns, to: format, group: group, pool: pool)
        for count in [1, 3, 6] {
          let x = random.normal(count * columns)
          let (wanted, bounds) = slow(matrix, x, count: count)
          withEverySet { set in
            let got = product(matrix, x, count: count)
            for i in got.indices {
              #expect(
                abs(Double(got[i]) - wanted[i]) <= bounds[i],
                "\(set) \(rows)×\(columns) group \(group) count \(count) at \(i)")
            }
          }
        }
      }
    }
  }

  @Test(
    "gives a column the same bits alone, among others, and with one to four threads",
    arguments: WeightFormat.allCases)
  func columnsAndThreads(format: WeightFormat) {
    var random = TestRandom(seed: 4)
    let (rows, columns) = (83, 333)
    let matrix = WeightMatrix.quantised(
      random.normal(rows * columns).span, rows: rows, columns: columns, to: format,
      pool: ComputePool())
    let x = random.normal(9 * columns)
    withEverySet { set in
      let together = product(matrix, x, count: 9, threads: 1).map(\.bitPattern)
      for threads in 2...4 {
        #expect(product(matrix, x, count: 9, threads: threads).map(\.bitPattern) == together)
      }
      for count in 1...5 {
        let part = Array(x[2 * columns..<(2 + count) * columns])
        let alone = product(matrix, part, count: count).map(\.bitPattern)
        #expect(alone == Array(together[2 * rows..<(2 + count) * rows]), "\(set) count \(count)")
      }
    }
  }

  @Test(
    "gives the same bits on all instruction sets that fuse multiply-adds",
    arguments: WeightFormat.allCases)
  func instructionSets(format: WeightFormat) {
    var random = TestRandom(seed: 5)
    let (rows, columns) = (50, 400)
    let matrix = WeightMatrix.quantised(
      random.normal(rows * columns).span, rows: rows, columns: columns, to: format,
      pool: ComputePool())
    let x = random.normal(3 * columns)
    var results: [[UInt32]] = []
    withEverySet { set in
      if set != .portable { results.append(product(matrix, x, count: 3).map(\.bitPattern)) }
    }
    #expect(results.allSatisfy { $0 == results.first })
  }

  @Test("multiplies three matrices together as one by one")
  func threeTogether() {
    var random = TestRandom(seed: 6)
    let (columns, count) = (96, 3)
    let pool = ComputePool(threads: 2)
    for format in WeightFormat.allCases {
      let matrices = [40, 7, 300].map {
        WeightMatrix.quantised(
          random.normal($0 * columns).span, rows: $0, columns: columns, to: format, pool: pool)
      }
      let x = random.normal(count * columns)
      var a = FloatBuffer(count: count * 40)
      var b = FloatBuffer(count: count * 7)
      var c = FloatBuffer(count: count * 300)
      var sa = a.mutableSpan
      var sb = b.mutableSpan
      var sc = c.mutableSpan
      WeightMatrix.multiply(
        matrices[0], matrices[1], matrices[2], x.span, count: count, into: &sa, &sb, &sc,
        pool: pool)
      #expect(a.array() == product(matrices[0], x, count: count))
      #expect(b.array() == product(matrices[1], x, count: count))
      #expect(c.array() == product(matrices[2], x, count: count))
    }
  }

  @Test("uses float32 weights where they lie, at any alignment of four bytes")
  func mapped() {
    let weights: [Float] = [0, 1, 2, 3, 4, 5, 6]
    unsafe weights.withUnsafeBufferPointer { memory in
      let matrix = unsafe WeightMatrix(
        rows: 2, columns: 3, base: memory.baseAddress! + 1, owner: nil)
      #expect(product(matrix, [1, 10, 100], count: 1) == [321, 654])
      #expect(matrix.bytes == 24)
    }
  }

  @Test("is made again from its bytes and layout")
  func bytesAndLayout() {
    var random = TestRandom(seed: 7)
    let pool = ComputePool()
    let matrix = WeightMatrix.quantised(
      random.normal(20 * 70).span, rows: 20, columns: 70, to: .int4, pool: pool)
    let copy = RawBuffer(bytes: matrix.bytes + 64)
    unsafe matrix.withBytes { bytes in
      unsafe UnsafeMutableRawBufferPointer(start: copy.base + 64, count: bytes.count).copyMemory(
        from: bytes)
    }
    let x = random.normal(70)
    let again = WeightMatrix(layout: matrix.layout, in: copy, offset: 64)
    #expect(product(again, x, count: 1) == product(matrix, x, count: 1))
  }
}
