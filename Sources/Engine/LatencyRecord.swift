// The last knob-to-sound times, for `/engine/latency`.

/// Remembers the newest 512 times and tells last, median and 99th percentile.
package struct LatencyRecord: Sendable {
  private var values: [Double] = []
  private var next = 0
  package private(set) var last = 0.0

  package init() {}

  package mutating func add(_ seconds: Double) {
    last = seconds
    if values.count < 512 {
      values.append(seconds)
    } else {
      values[next] = seconds
      next = (next + 1) % 512
    }
  }

  /// The value below which so large a share lies; 0 when there is none.
  package func percentile(_ share: Double) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    return sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
  }
}
