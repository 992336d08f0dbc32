import Kernels
import Testing

@Suite("Linear layer over many rows")
struct LinearTests {
  @Test("forward equals the obvious sum, and adds when asked", arguments: [(1, 1, 1), (3, 7, 5)])
  func forward(rows: Int, inputs: Int, outputs: Int) {
    var lottery = Lottery(1)
    let x = lottery.numbers(rows * inputs)
    let w = lottery.numbers(outputs * inputs)
    let b = lottery.numbers(outputs)
    var expected = slowProduct(x, w, m: rows, n: outputs, k: inputs)
    for i in expected.indices { expected[i] += b[i % outputs] }
    var y = FloatBuffer(count: rows * outputs)
    var span = y.mutableSpan
    linear(
      FloatBuffer(floats(x)).span, weight: FloatBuffer(floats(w)).span,
      bias: FloatBuffer(floats(b)).span, rows: rows, inputs: inputs, outputs: outputs, into: &span)
    for (found, wanted) in zip(y.array(), expected) { #expect(abs(Double(found) - wanted) < 1e-5) }
    var again = y.mutableSpan
    linear(
      FloatBuffer(floats(x)).span, weight: FloatBuffer(floats(w)).span,
      bias: FloatBuffer(floats(b)).span, rows: rows, inputs: inputs, outputs: outputs,
      adding: true, into: &again)
    for (found, wanted) in zip(y.array(), expected) {
      #expect(abs(Double(found) - 2 * wanted) < 1e-5)
    }
  }

  @Test("gradients by input, weight and bias follow the twin", arguments: [(1, 4, 3), (5, 9, 6)])
  func backward(rows: Int, inputs: Int, outputs: Int) {
    var lottery = Lottery(2)
    let x = lottery.numbers(rows * inputs)
    let w = lottery.numbers(outputs * inputs)
    let b = lottery.numbers(outputs)
    let dy = lottery.numbers(rows * outputs)
    func loss(_ x: [Double], _ w: [Double], _ b: [Double]) -> Double {
      let y = slowProduct(x, w, m: rows, n: outputs, k: inputs)
      return y.indices.reduce(0) { $0 + (y[$1] + b[$1 % outputs]) * dy[$1] }
    }
    let dyBuffer = FloatBuffer(floats(dy))
    var dx = FloatBuffer(count: x.count)
    var dxSpan = dx.mutableSpan
    linearInputGradient(
      dyBuffer.span, weight: FloatBuffer(floats(w)).span, rows: rows, inputs: inputs,
      outputs: outputs, into: &dxSpan)
    expectGradient(dx.array(), of: { loss($0, w, b) }, at: x, "input")
    var dw = FloatBuffer(count: w.count)
    var dwSpan = dw.mutableSpan
    linearWeightGradient(
      dyBuffer.span, x: FloatBuffer(floats(x)).span, rows: rows, inputs: inputs,
      outputs: outputs, into: &dwSpan)
    expectGradient(dw.array(), of: { loss(x, $0, b) }, at: w, "weight")
    var db = FloatBuffer(count: b.count)
    var dbSpan = db.mutableSpan
    linearBiasGradient(dyBuffer.span, rows: rows, outputs: outputs, into: &dbSpan)
    expectGradient(db.array(), of: { loss(x, w, $0) }, at: b, "bias")
  }
}
