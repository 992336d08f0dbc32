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
    var part = logits._mutatingExtracting(start..<start + classes)
    let largest = largestValue(part.span)
    let distance = Double(part[target] - largest)
    guard let weight else {
      total += Double.log(exponentialSum(part.span, above: largest)) - distance
      continue
    }
    let sum = replaceByExponentials(&part, above: largest)
    total += Double.log(sum) - distance
    let scale = Float(Double(weight) / sum)
    for i in 0..<classes { unsafe part[unchecked: i] *= scale }
    part[target] -= weight
  }
  return total
}

/// The largest value of a span.
func largestValue(_ x: Span<Float>) -> Float {
  var lanes = Vector(repeating: -.infinity)
  var i = 0
  while i + 8 <= x.count {
    let next = unsafe x.vector(i)
    lanes.replace(with: next, where: next .> lanes)
    i += 8
  }
  var largest = lanes.max()
  while i < x.count {
    largest = max(largest, x[i])
    i += 1
  }
  return largest
}

/// Σ e^(x − largest).
private func exponentialSum(_ x: Span<Float>, above largest: Float) -> Double {
  var totals = Vector()
  var i = 0
  while i + 8 <= x.count {
    totals += unsafe exponential(x.vector(i) - largest)
    i += 8
  }
  var total = Double(totals.sum())
  while i < x.count {
    total += Double(Float.exp(x[i] - largest))
    i += 1
  }
  return total
}

/// x ← e^(x − largest); returns the sum.
private func replaceByExponentials(_ x: inout MutableSpan<Float>, above largest: Float) -> Double {
  var totals = Vector()
  var i = 0
  while i + 8 <= x.count {
    let e = unsafe exponential(x.vector(i) - largest)
    totals += e
    unsafe x.storeVector(e, i)
    i += 8
  }
  var total = Double(totals.sum())
  while i < x.count {
    x[i] = Float.exp(x[i] - largest)
    total += Double(x[i])
    i += 1
  }
  return total
}
