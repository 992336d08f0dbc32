import Foundation
import Kernels
import Testing

@Suite("Cross entropy")
struct CrossEntropyTests {
  @Test("loss and gradient follow the twin")
  func gradient() {
    var lottery = Lottery(11)
    let logits = lottery.numbers(3 * 7).map { Double(Float(4 * $0)) }
    let targets: [Int32] = [0, 6, 3]
    func loss(_ logits: [Double]) -> Double {
      (0..<3).reduce(0) { total, row in
        let part = logits[row * 7..<(row + 1) * 7]
        return total + log(part.reduce(0) { $0 + exp($1) })
          - logits[row * 7 + Int(targets[row])]
      }
    }
    var buffer = FloatBuffer(floats(logits))
    var span = buffer.mutableSpan
    let found = crossEntropy(&span, targets: targets, classes: 7, weight: 0.5)
    #expect(abs(found - loss(logits)) < 1e-5)
    expectGradient(buffer.array(), of: { 0.5 * loss($0) }, at: logits, "logits")
  }

  @Test("without a weight the logits stay as they are, however large")
  func large() {
    var buffer = FloatBuffer([1000, -1000])
    var span = buffer.mutableSpan
    #expect(crossEntropy(&span, targets: [1], classes: 2) == 2000)
    #expect(buffer.array() == [1000, -1000])
  }
}
