import RealModule
import TestSupport
import Testing

@testable import Kernels

@Suite("LSTM")
struct LSTMTests {
  /// The definition, in double precision, gate by gate.
  private func slow(
    _ x: [Float], input: [Float], recurrent: [Float], bias: [Float], width: Int, rows: Int,
    hidden: inout [Double], cell: inout [Double]
  ) -> [Double] {
    func sigmoid(_ x: Double) -> Double { 1 / (1 + Double.exp(-x)) }
    var y: [Double] = []
    for t in 0..<rows {
      let gates = (0..<4 * width).map { row in
        (0..<width).reduce(Double(bias[row])) { sum, i in
          sum + Double(input[row * width + i]) * Double(x[t * width + i])
            + Double(recurrent[row * width + i]) * hidden[i]
        }
      }
      for i in 0..<width {
        cell[i] =
          sigmoid(gates[width + i]) * cell[i]
          + sigmoid(gates[i]) * Double.tanh(gates[2 * width + i])
        hidden[i] = sigmoid(gates[3 * width + i]) * Double.tanh(cell[i])
      }
      y += hidden
    }
    return y
  }

  @Test("equals the definition, in one piece and in several", arguments: [1, 3, 8, 21, 64])
  func definition(width: Int) {
    var random = TestRandom(seed: 3)
    let scale = 1 / Float(width).squareRoot()
    let input = random.normal(4 * width * width, scale: scale)
    let recurrent = random.normal(4 * width * width, scale: scale)
    let bias = random.normal(4 * width)
    let layer = LSTMLayer(
      inputWeights: input, recurrentWeights: recurrent, bias: bias, width: width)
    let rows = 43
    let x = random.normal(rows * width, scale: 2)
    var hidden = [Double](repeating: 0, count: width)
    var cell = hidden
    let expected = slow(
      x, input: input, recurrent: recurrent, bias: bias, width: width, rows: rows, hidden: &hidden,
      cell: &cell)
    withEverySet { set in
      for pieces in [[43], [1, 2, 40], [20, 23]] {
        var h = [Float](repeating: 0, count: width)
        var c = h
        var y: [Float] = []
        for count in pieces {
          let part = Array(x[y.count..<y.count + count * width])
          var rows = [Float](repeating: .nan, count: count * width)
          var workspace = [Float](repeating: .nan, count: layer.workspaceCount(count: count))
          var hSpan = h.mutableSpan
          var cSpan = c.mutableSpan
          var output = rows.mutableSpan
          var scratch = workspace.mutableSpan
          layer.run(
            part.span, count: count, hidden: &hSpan, cell: &cSpan, into: &output,
            workspace: &scratch, pool: ComputePool(threads: 2))
          y += rows
        }
        let worst = zip(y, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
        #expect(worst <= 2e-6, "\(set)")
        let worstCell = zip(c, cell).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
        #expect(worstCell <= 4e-6, "\(set)")
        #expect(!y.contains { !$0.isFinite })
      }
    }
  }
}
