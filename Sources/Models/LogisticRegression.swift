// Linear models solved to convergence: logistic (two classes), multinomial and linear regression.
//
// In: features (N, D) of one head, standardised here and folded back, so that the result applies to the
// features as they are. L2 penalty ½·λ‖w‖² on the standardised weights, none on the bias; λ = 1 is the
// usual default (C = 1). Sums run in Double. Source: ours; the method (Newton, L-BFGS) is textbook
// (Nocedal and Wright, algorithms 3.2 and 7.4).

import RealModule

/// A linear read-out: score = weight·x + bias.
package struct LinearModel: Sendable, Equatable {
  /// (D).
  package var weight: [Float]
  package var bias: Float
}

/// Features of one head with their means and deviations taken out.
struct StandardisedFeatures {
  let rows: Int
  let columns: Int
  let values: [Double]  // (N, D), mean 0 and deviation 1 in every column
  let mean: [Double]  // (D)
  let scale: [Double]  // (D); 1/deviation, 0 for a column that never changes

  /// - Parameter features: (N, D).
  init(_ features: [Float], rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    var mean = [Double](repeating: 0, count: columns)
    var squares = [Double](repeating: 0, count: columns)
    for row in 0..<rows {
      for column in 0..<columns { mean[column] += Double(features[row * columns + column]) }
    }
    for column in 0..<columns { mean[column] /= Double(max(rows, 1)) }
    for row in 0..<rows {
      for column in 0..<columns {
        let centred = Double(features[row * columns + column]) - mean[column]
        squares[column] += centred * centred
      }
    }
    let scale = squares.enumerated().map { column, sum -> Double in
      let deviation = (sum / Double(max(rows, 1))).squareRoot()
      return deviation > 1e-7 * abs(mean[column]) && deviation > 1e-20 ? 1 / deviation : 0
    }
    var values = [Double](repeating: 0, count: rows * columns)
    for row in 0..<rows {
      for column in 0..<columns {
        values[row * columns + column] =
          (Double(features[row * columns + column]) - mean[column]) * scale[column]
      }
    }
    self.values = values
    self.mean = mean
    self.scale = scale
  }

  /// The model on the features as they were, from one on the standardised ones.
  func folded(weight: [Double], bias: Double) -> LinearModel {
    var offset = bias
    var folded = [Float](repeating: 0, count: columns)
    for column in 0..<columns {
      let value = weight[column] * scale[column]
      folded[column] = Float(value)
      offset -= value * mean[column]
    }
    return LinearModel(weight: folded, bias: Float(offset))
  }
}

/// Two classes: p = sigmoid(weight·x + bias), by Newton's method.
///
/// - Parameters:
///   - features: (N, D).
///   - labels: (N).
///   - regularisation: λ > 0.
/// - Returns: the minimiser of Σ log(1 + e^(∓score)) + ½·λ‖w‖², to a gradient of 1e-8 per example.
package func logisticRegression(
  features: [Float], labels: [Bool], dimension: Int, regularisation: Double = 1
) -> LinearModel {
  let rows = labels.count
  precondition(features.count == rows * dimension && regularisation > 0)
  let x = StandardisedFeatures(features, rows: rows, columns: dimension)
  let size = dimension + 1  // the bias is last
  var w = [Double](repeating: 0, count: size)
  var scores = [Double](repeating: 0, count: rows)
  var objective = logisticObjective(scores: scores, labels: labels, w: w, lambda: regularisation)
  for _ in 0..<100 {
    var gradient = [Double](repeating: 0, count: size)
    var hessian = [Double](repeating: 0, count: size * size)
    for row in 0..<rows {
      let p = 1 / (1 + Double.exp(-scores[row]))
      let error = p - (labels[row] ? 1 : 0)
      let curvature = max(p * (1 - p), 1e-12)
      let start = row * dimension
      for i in 0..<dimension {
        let value = x.values[start + i]
        gradient[i] += error * value
        let scaled = curvature * value
        for j in 0...i { hessian[i * size + j] += scaled * x.values[start + j] }
        hessian[dimension * size + i] += scaled
      }
      gradient[dimension] += error
      hessian[dimension * size + dimension] += curvature
    }
    for i in 0..<dimension {
      gradient[i] += regularisation * w[i]
      hessian[i * size + i] += regularisation
    }
    let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
    if norm <= 1e-8 * Double(max(rows, 1)) { break }
    let step = choleskySolve(&hessian, gradient, size: size)
    var stride = 1.0
    var improved = false
    let descent = zip(gradient, step).reduce(0) { $0 + $1.0 * $1.1 }
    while stride > 1e-10 {
      var trial = w
      for i in 0..<size { trial[i] -= stride * step[i] }
      let trialScores = linearScores(x, w: trial)
      let value = logisticObjective(
        scores: trialScores, labels: labels, w: trial, lambda: regularisation)
      if value <= objective - 1e-4 * stride * descent {
        (w, scores, objective, improved) = (trial, trialScores, value, true)
        break
      }
      stride /= 2
    }
    if !improved { break }
  }
  return x.folded(weight: w, bias: w[dimension])
}

/// Least squares with the penalty ½·λ‖w‖² (ridge): targets ≈ weight·x + bias.
///
/// - Parameters:
///   - features: (N, D).
///   - targets: (N).
package func linearRegression(
  features: [Float], targets: [Float], dimension: Int, regularisation: Double = 1
) -> LinearModel {
  let rows = targets.count
  precondition(features.count == rows * dimension && regularisation > 0)
  let x = StandardisedFeatures(features, rows: rows, columns: dimension)
  let mean = targets.reduce(0.0) { $0 + Double($1) } / Double(max(rows, 1))
  var matrix = [Double](repeating: 0, count: dimension * dimension)
  var right = [Double](repeating: 0, count: dimension)
  for row in 0..<rows {
    let start = row * dimension
    for i in 0..<dimension {
      let value = x.values[start + i]
      right[i] += value * (Double(targets[row]) - mean)
      for j in 0...i { matrix[i * dimension + j] += value * x.values[start + j] }
    }
  }
  for i in 0..<dimension { matrix[i * dimension + i] += regularisation }
  let weight = choleskySolve(&matrix, right, size: dimension)
  return x.folded(weight: weight, bias: mean)
}

/// Several classes: p = softmax over classes of weight·x + bias, by L-BFGS.
///
/// - Parameters:
///   - features: (N, D).
///   - labels: class of each example, 0 ..< classes.
/// - Returns: one model per class; the minimiser of Σ −log p + ½·λ‖w‖².
package func multinomialRegression(
  features: [Float], labels: [Int], classes: Int, dimension: Int, regularisation: Double = 1
) -> [LinearModel] {
  let rows = labels.count
  precondition(features.count == rows * dimension && regularisation > 0 && classes >= 2)
  let x = StandardisedFeatures(features, rows: rows, columns: dimension)
  let size = dimension + 1
  let w = minimise(count: classes * size, tolerance: 1e-7 * Double(max(rows, 1))) { w, gradient in
    var value = 0.0
    for i in gradient.indices { gradient[i] = 0 }
    var scores = [Double](repeating: 0, count: classes)
    for row in 0..<rows {
      let start = row * dimension
      for k in 0..<classes {
        var sum = w[k * size + dimension]
        for i in 0..<dimension { sum += w[k * size + i] * x.values[start + i] }
        scores[k] = sum
      }
      let largest = scores.max() ?? 0
      var total = 0.0
      for k in 0..<classes { total += Double.exp(scores[k] - largest) }
      let logTotal = largest + Double.log(total)
      value += logTotal - scores[labels[row]]
      for k in 0..<classes {
        let error = Double.exp(scores[k] - logTotal) - (k == labels[row] ? 1 : 0)
        for i in 0..<dimension { gradient[k * size + i] += error * x.values[start + i] }
        gradient[k * size + dimension] += error
      }
    }
    for k in 0..<classes {
      for i in 0..<dimension {
        value += 0.5 * regularisation * w[k * size + i] * w[k * size + i]
        gradient[k * size + i] += regularisation * w[k * size + i]
      }
    }
    return value
  }
  return (0..<classes).map { k in
    x.folded(weight: Array(w[k * size..<k * size + dimension]), bias: w[k * size + dimension])
  }
}

private func linearScores(_ x: StandardisedFeatures, w: [Double]) -> [Double] {
  var scores = [Double](repeating: w[x.columns], count: x.rows)
  for row in 0..<x.rows {
    var sum = scores[row]
    for i in 0..<x.columns { sum += w[i] * x.values[row * x.columns + i] }
    scores[row] = sum
  }
  return scores
}

private func logisticObjective(
  scores: [Double], labels: [Bool], w: [Double], lambda: Double
) -> Double {
  var value = 0.0
  for row in scores.indices {
    let margin = labels[row] ? scores[row] : -scores[row]
    value +=
      margin > 0
      ? Double.log(onePlus: Double.exp(-margin)) : -margin + Double.log(onePlus: Double.exp(margin))
  }
  for i in 0..<w.count - 1 { value += 0.5 * lambda * w[i] * w[i] }
  return value
}

/// Solves A x = b for a positive definite A of which the lower triangle is given and overwritten.
func choleskySolve(_ a: inout [Double], _ b: [Double], size: Int) -> [Double] {
  for i in 0..<size {
    for j in 0...i {
      var sum = a[i * size + j]
      for k in 0..<j { sum -= a[i * size + k] * a[j * size + k] }
      if i == j {
        a[i * size + i] = max(sum, 1e-300).squareRoot()
      } else {
        a[i * size + j] = sum / a[j * size + j]
      }
    }
  }
  var x = b
  for i in 0..<size {
    for k in 0..<i { x[i] -= a[i * size + k] * x[k] }
    x[i] /= a[i * size + i]
  }
  for i in stride(from: size - 1, through: 0, by: -1) {
    for k in i + 1..<size { x[i] -= a[k * size + i] * x[k] }
    x[i] /= a[i * size + i]
  }
  return x
}

/// L-BFGS from zero with a memory of ten pairs and a halving line search.
///
/// - Parameters:
///   - tolerance: stop when the gradient's norm is below this.
///   - evaluate: fills the gradient and returns the value; must be convex and smooth.
func minimise(
  count: Int, tolerance: Double, limit: Int = 1000,
  _ evaluate: ([Double], inout [Double]) -> Double
) -> [Double] {
  func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for i in a.indices { sum += a[i] * b[i] }
    return sum
  }
  var x = [Double](repeating: 0, count: count)
  var gradient = x
  var value = evaluate(x, &gradient)
  var pairs: [(s: [Double], y: [Double], rho: Double)] = []
  for _ in 0..<limit {
    let norm = dot(gradient, gradient).squareRoot()
    if norm <= tolerance { break }
    var direction = gradient
    var alphas: [Double] = []
    for pair in pairs.reversed() {
      let alpha = pair.rho * dot(pair.s, direction)
      alphas.append(alpha)
      for i in 0..<count { direction[i] -= alpha * pair.y[i] }
    }
    let scale =
      pairs.last.map { dot($0.s, $0.y) / dot($0.y, $0.y) } ?? (1 / max(norm, 1))
    for i in 0..<count { direction[i] *= scale }
    for (pair, alpha) in zip(pairs, alphas.reversed()) {
      let beta = pair.rho * dot(pair.y, direction)
      for i in 0..<count { direction[i] += (alpha - beta) * pair.s[i] }
    }
    let descent = dot(gradient, direction)
    var stride = 1.0
    var trial = x
    var trialGradient = gradient
    var accepted = false
    while stride > 1e-12 {
      for i in 0..<count { trial[i] = x[i] - stride * direction[i] }
      let trialValue = evaluate(trial, &trialGradient)
      if trialValue <= value - 1e-4 * stride * descent {
        value = trialValue
        accepted = true
        break
      }
      stride /= 2
    }
    guard accepted else {
      if pairs.isEmpty { break }
      pairs.removeAll()
      continue
    }
    var s = trial
    var y = trialGradient
    for i in 0..<count {
      s[i] -= x[i]
      y[i] -= gradient[i]
    }
    let curvature = dot(s, y)
    if curvature > 1e-12 * dot(y, y) {
      pairs.append((s, y, 1 / curvature))
      if pairs.count > 10 { pairs.removeFirst() }
    }
    (x, gradient) = (trial, trialGradient)
  }
  return x
}
