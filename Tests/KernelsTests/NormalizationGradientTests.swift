import Kernels
import Testing

@Suite("Layer normalisation, backward")
struct NormalizationGradientTests {
  @Test("gradients by input, weight and bias follow the twin", arguments: [(1, 3), (4, 17)])
  func backward(rows: Int, width: Int) {
    var lottery = Lottery(3)
    let x = lottery.numbers(rows * width)
    let weight = lottery.numbers(width)
    let bias = lottery.numbers(width)
    let dy = lottery.numbers(rows * width)
    func loss(_ x: [Double], _ weight: [Double], _ bias: [Double]) -> Double {
      var total = 0.0
      for row in 0..<rows {
        let values = x[row * width..<(row + 1) * width]
        let mean = values.reduce(0, +) / Double(width)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
        for i in 0..<width {
          let n = (x[row * width + i] - mean) / (variance + 1e-5).squareRoot()
          total += dy[row * width + i] * (n * weight[i] + bias[i])
        }
      }
      return total
    }
    var dx = FloatBuffer(count: x.count)
    var dWeight = FloatBuffer(count: width)
    var dBias = FloatBuffer(count: width)
    var a = dx.mutableSpan
    var b = dWeight.mutableSpan
    var c = dBias.mutableSpan
    layerNormGradient(
      FloatBuffer(floats(x)).span, weight: FloatBuffer(floats(weight)).span, epsilon: 1e-5,
      dy: FloatBuffer(floats(dy)).span, addingTo: &a, dWeight: &b, dBias: &c)
    expectGradient(dx.array(), of: { loss($0, weight, bias) }, at: x, "input")
    expectGradient(dWeight.array(), of: { loss(x, $0, bias) }, at: weight, "weight")
    expectGradient(dBias.array(), of: { loss(x, weight, $0) }, at: bias, "bias")
  }

  @Test("the input's gradient is added to what is there")
  func adds() {
    var dx = FloatBuffer([10, 20])
    var dWeight = FloatBuffer(count: 2)
    var dBias = FloatBuffer(count: 2)
    var a = dx.mutableSpan
    var b = dWeight.mutableSpan
    var c = dBias.mutableSpan
    layerNormGradient(
      FloatBuffer([1, 2]).span, weight: FloatBuffer([1, 1]).span, epsilon: 1e-5,
      dy: FloatBuffer([0, 0]).span, addingTo: &a, dWeight: &b, dBias: &c)
    #expect(dx.array() == [10, 20])
  }
}
