// k-means on feature vectors: tracks that stand for the whole catalogue.

import Models

/// Picks `count` tracks: the ones nearest to the centres of as many clusters, in the catalogue's order.
///
/// Lloyd's algorithm from k-means++ starts, at most 30 rounds; the same for the same features.
/// Features are standardised first. Source: the poster's choice of 40 tracks; the details are ours.
package func representatives(of features: [[Float]], count: Int) -> [Int] {
  guard count > 0 else { return [] }
  guard let width = features.first?.count, count < features.count else {
    return Array(features.indices)
  }
  let points = standardised(features, width: width)
  let random = CounterRandom(seed: 40)
  func distance(_ a: [Float], _ b: [Float]) -> Float {
    var sum: Float = 0
    for i in 0..<width { sum += (a[i] - b[i]) * (a[i] - b[i]) }
    return sum
  }
  var centres = [points[Int(random.uniform(step: 0, codebook: 0) * Float(points.count))]]
  var nearest = points.map { distance($0, centres[0]) }
  while centres.count < count {
    var place = Double(random.uniform(step: centres.count, codebook: 0))
    place *= nearest.reduce(0) { $0 + Double($1) }
    var chosen = points.count - 1
    for (index, weight) in nearest.enumerated() {
      place -= Double(weight)
      if place < 0 {
        chosen = index
        break
      }
    }
    centres.append(points[chosen])
    for (index, point) in points.enumerated() {
      nearest[index] = min(nearest[index], distance(point, points[chosen]))
    }
  }
  var owners = [Int](repeating: -1, count: points.count)
  for _ in 0..<30 {
    let found = points.map { point in
      centres.indices.min { distance(point, centres[$0]) < distance(point, centres[$1]) } ?? 0
    }
    if found == owners { break }
    owners = found
    for cluster in centres.indices {
      let members = points.indices.filter { owners[$0] == cluster }
      guard !members.isEmpty else { continue }
      centres[cluster] = (0..<width).map { i in
        members.reduce(0) { $0 + points[$1][i] } / Float(members.count)
      }
    }
  }
  var chosen: Set<Int> = []
  for centre in centres {
    let free = points.indices.filter { !chosen.contains($0) }
    if let best = free.min(by: { distance(points[$0], centre) < distance(points[$1], centre) }) {
      chosen.insert(best)
    }
  }
  return chosen.sorted()
}

private func standardised(_ features: [[Float]], width: Int) -> [[Float]] {
  let count = Float(features.count)
  let mean = (0..<width).map { i in features.reduce(0) { $0 + $1[i] } / count }
  let deviation = (0..<width).map { i in
    max(
      (features.reduce(0) { $0 + ($1[i] - mean[i]) * ($1[i] - mean[i]) } / count).squareRoot(), 1e-9
    )
  }
  return features.map { row in (0..<width).map { (row[$0] - mean[$0]) / deviation[$0] } }
}
