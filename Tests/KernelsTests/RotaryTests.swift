import Foundation
import Kernels
import Testing

@Suite("Rotary positions")
struct RotaryTests {
  @Test("turns pairs of dimensions by position times frequency, and leaves the rest alone")
  func forward() {
    let table = RotaryTable(positions: 3, inverseFrequencies: [1, 0.25])
    var x = FloatBuffer((0..<3 * 2 * 5).map { Float($0) * 0.1 })
    let before = x.array()
    var span = x.mutableSpan
    table.turn(&span, rows: Rows(stride: 10), count: 3, heads: 2, dimension: 5)
    for position in 0..<3 {
      for head in 0..<2 {
        let start = position * 10 + head * 5
        for (i, frequency) in [1.0, 0.25].enumerated() {
          let angle = Double(position) * frequency
          let (a, b) = (Double(before[start + i]), Double(before[start + i + 2]))
          #expect(abs(Double(x.array()[start + i]) - (a * cos(angle) - b * sin(angle))) < 1e-5)
          #expect(abs(Double(x.array()[start + i + 2]) - (b * cos(angle) + a * sin(angle))) < 1e-5)
        }
        #expect(x.array()[start + 4] == before[start + 4])
      }
    }
  }

  @Test("turning backward undoes turning")
  func backward() {
    let table = RotaryTable(positions: 4, inverseFrequencies: [1, 0.1])
    var x = FloatBuffer((0..<16).map { Float($0) - 8 })
    let before = x.array()
    var span = x.mutableSpan
    table.turn(&span, rows: Rows(stride: 4), count: 4, heads: 1, dimension: 4)
    table.turn(&span, rows: Rows(stride: 4), count: 4, heads: 1, dimension: 4, backward: true)
    for (a, b) in zip(before, x.array()) { #expect(abs(a - b) < 1e-5) }
  }
}
