// Spearman's rank correlation: how alike two orders of the same things are.

/// Spearman's rank correlation, −1 … 1, equal values sharing their mean rank; nil for fewer than three pairs, or where one
/// side does not tell its things apart.
package func rankCorrelation<Value: BinaryFloatingPoint>(_ a: [Value], _ b: [Value]) -> Double? {
  precondition(a.count == b.count, "a rank correlation is of pairs")
  guard a.count >= 3 else { return nil }
  let (x, y) = (ranks(a), ranks(b))
  let mean = Double(a.count + 1) / 2
  var (xy, xx, yy) = (0.0, 0.0, 0.0)
  for (p, q) in zip(x, y) {
    xy += (p - mean) * (q - mean)
    xx += (p - mean) * (p - mean)
    yy += (q - mean) * (q - mean)
  }
  return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : nil
}

/// Ranks from 1, equal values sharing their mean rank.
func ranks<Value: BinaryFloatingPoint>(_ values: [Value]) -> [Double] {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var result = [Double](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    var end = start
    while end + 1 < order.count, values[order[end + 1]] == values[order[start]] { end += 1 }
    for place in start...end { result[order[place]] = Double(start + end) / 2 + 1 }
    start = end + 1
  }
  return result
}
