// Cross entropy of rows of logits, forward and backward.

import RealModule

/// Σ over rows of −ln softmax(logits)[target], in double precision.
///
/// - Parameters:
///   - logits: (rows, classes); replaced by their gradient, `weight` · (softmax − one-hot), when
///     `weight` is given.
///   - targets: one class per row, 0 ..< classes.
///   - weight: the derivative of the whole loss by one row's cross entropy.
package func crossEntropy(
  _ logits: inout MutableSpan<Float>, targets: [Int32], classes: Int, weight: Float? = nil
) -> Double {
  precondition(logits.count == targets.count * classes, "shapes do not fit")
  var total = 0.0
  for row in targets.indices {
    let start = row * classes
    let target = Int(targets[row])
    precondition(target >= 0 && target < classes, "class \(target) of \(classes)")
    var largest = -Float.infinity
    for i in start..<start + classes { largest = max(largest, logits[i]) }
    var sum = 0.0
    for i in start..<start + classes { sum += Double(Float.exp(logits[i] - largest)) }
    total += Double.log(sum) - Double(logits[start + target] - largest)
    guard let weight else { continue }
    let scale = Float(1 / sum)
    for i in start..<start + classes {
      logits[i] = weight * Float.exp(logits[i] - largest) * scale
    }
    logits[start + target] -= weight
  }
  return total
}
