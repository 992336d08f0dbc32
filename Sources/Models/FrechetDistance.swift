// How far two clouds of vectors lie apart when each is taken for a Gaussian.
//
// d² = |μ1 − μ2|² + tr(Σ1 + Σ2 − 2 (Σ1^½ Σ2 Σ1^½)^½). Source: the Fréchet audio distance, which the paper uses
// with other embeddings. In: (n, D) vectors each; all in Double.

/// Mean and covariance of vectors, added one at a time.
package struct GaussianFit: Sendable {
  package let dimension: Int
  package private(set) var count = 0
  private var sum: [Double]  // (D)
  private var products: [Double]  // (D, D)

  package init(dimension: Int) {
    self.dimension = dimension
    sum = [Double](repeating: 0, count: dimension)
    products = [Double](repeating: 0, count: dimension * dimension)
  }

  /// Adds vectors (n, D).
  package mutating func add(_ vectors: [Float]) {
    precondition(vectors.count % dimension == 0)
    for row in 0..<vectors.count / dimension {
      let start = row * dimension
      for i in 0..<dimension {
        let value = Double(vectors[start + i])
        sum[i] += value
        for j in 0...i { products[i * dimension + j] += value * Double(vectors[start + j]) }
      }
      count += 1
    }
  }

  package var mean: [Double] { sum.map { $0 / Double(max(count, 1)) } }

  /// (D, D), unbiased; zero for fewer than two vectors.
  package var covariance: [Double] {
    var result = [Double](repeating: 0, count: dimension * dimension)
    guard count > 1 else { return result }
    let mean = mean
    for i in 0..<dimension {
      for j in 0...i {
        let value =
          (products[i * dimension + j] - Double(count) * mean[i] * mean[j]) / Double(count - 1)
        result[i * dimension + j] = value
        result[j * dimension + i] = value
      }
    }
    return result
  }

  /// The Fréchet distance d² to another fit of the same dimension.
  package func distance(to other: GaussianFit) -> Double {
    precondition(dimension == other.dimension)
    let n = dimension
    let root = symmetricSquareRoot(covariance, size: n)
    let inner = product(product(root, other.covariance, size: n), root, size: n)
    let (a, b) = (covariance, other.covariance)
    var trace = 0.0
    for i in 0..<n { trace += a[i * n + i] + b[i * n + i] }
    for value in symmetricEigen(inner, size: n).values { trace -= 2 * max(value, 0).squareRoot() }
    return zip(mean, other.mean).reduce(trace) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  }
}

/// A B of two (n, n) matrices.
private func product(_ a: [Double], _ b: [Double], size n: Int) -> [Double] {
  var c = [Double](repeating: 0, count: n * n)
  for i in 0..<n {
    for k in 0..<n {
      let value = a[i * n + k]
      for j in 0..<n { c[i * n + j] += value * b[k * n + j] }
    }
  }
  return c
}

private func symmetricSquareRoot(_ a: [Double], size n: Int) -> [Double] {
  let (values, vectors) = symmetricEigen(a, size: n)
  var root = [Double](repeating: 0, count: n * n)
  for k in 0..<n {
    let scale = max(values[k], 0).squareRoot()
    for i in 0..<n {
      let value = scale * vectors[i * n + k]
      for j in 0..<n { root[i * n + j] += value * vectors[j * n + k] }
    }
  }
  return root
}

/// Eigenvalues and eigenvectors (columns) of a symmetric matrix, by cyclic Jacobi rotations (Golub and
/// Van Loan, algorithm 8.5.3).
func symmetricEigen(_ matrix: [Double], size n: Int) -> (values: [Double], vectors: [Double]) {
  var a = matrix
  var v = [Double](repeating: 0, count: n * n)
  for i in 0..<n { v[i * n + i] = 1 }
  let norm = a.reduce(0) { $0 + $1 * $1 }.squareRoot()
  for _ in 0..<60 {
    var off = 0.0
    for i in 0..<n { for j in 0..<i { off += a[i * n + j] * a[i * n + j] } }
    if off.squareRoot() <= 1e-12 * norm { break }
    for p in 0..<n {
      for q in p + 1..<n where a[p * n + q] != 0 {
        let theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q])
        let t = (theta >= 0 ? 1.0 : -1.0) / (abs(theta) + (theta * theta + 1).squareRoot())
        let c = 1 / (t * t + 1).squareRoot()
        let s = t * c
        for k in 0..<n {
          let (x, y) = (a[k * n + p], a[k * n + q])
          a[k * n + p] = c * x - s * y
          a[k * n + q] = s * x + c * y
        }
        for k in 0..<n {
          let (x, y) = (a[p * n + k], a[q * n + k])
          a[p * n + k] = c * x - s * y
          a[q * n + k] = s * x + c * y
          let (u, w) = (v[k * n + p], v[k * n + q])
          v[k * n + p] = c * u - s * w
          v[k * n + q] = s * u + c * w
        }
      }
    }
  }
  return ((0..<n).map { a[$0 * n + $0] }, v)
}
