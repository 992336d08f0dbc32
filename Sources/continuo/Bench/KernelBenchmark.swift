// Times the inner loops by themselves: what each makes of the memory's bandwidth.

import Kernels

/// One measured kernel.
struct KernelMeasurement: Codable {
  var kernel: String
  var gigabytesPerSecond: Double
  /// Of the read bandwidth of this run.
  var share: Double
}

struct KernelBenchmark {
  let rounds: Int
  let pool: ComputePool
  let clock: BenchClock

  func run(_ memory: MemoryBandwidth, progress: () -> Void) -> [KernelMeasurement] {
    let (rows, columns) = (4096, 1024)
    let copies = 32
    var bandwidth = 0.0
    var best: [(name: String, rate: Double)] = []
    func note(_ name: String, bytes: Int, _ time: Double) {
      let rate = Double(bytes) / time
      if let index = best.firstIndex(where: { $0.name == name }) {
        best[index].rate = max(best[index].rate, rate)
      } else {
        best.append((name, rate))
      }
    }
    var x = FloatBuffer(count: 4 * columns)
    var y = FloatBuffer(count: 4 * rows)
    var fill = x.mutableSpan
    for i in 0..<fill.count { fill[i] = Float(i % 13) - 6 }
    let matrices = WeightFormat.allCases.map { format in
      let original = WeightMatrix.converted(
        rows: rows, columns: columns, to: format, pool: pool
      ) { row, target in
        for i in 0..<columns { target[i] = Float((row &* 31 &+ i &* 7) % 29 - 14) }
      }
      let buffer = RawBuffer(bytes: original.bytes * copies)
      return (0..<copies).map { index in
        unsafe original.withBytes { source in
          unsafe UnsafeMutableRawBufferPointer(
            start: buffer.base + index * original.bytes, count: source.count
          ).copyMemory(from: source)
        }
        return WeightMatrix(
          layout: original.layout, in: buffer, offset: index * original.bytes)
      }
    }
    var caches: [(CacheFormat, LargeCache)] = []
    for format in CacheFormat.allCases { caches.append((format, LargeCache(format))) }
    for _ in 0..<rounds {
      bandwidth = max(bandwidth, clock.bandwidth(of: memory, pool: pool))
      for (format, group) in zip(WeightFormat.allCases, matrices) {
        for count in [1, 2, 4] {
          let time = clock.seconds {
            for matrix in group {
              var target = y.mutableSpan(0..<count * rows)
              matrix.multiply(x.span(0..<count * columns), count: count, into: &target, pool: pool)
            }
          }
          note("product \(format.rawValue) × \(count)", bytes: group[0].bytes * copies, time)
        }
      }
      for (format, cache) in caches {
        for count in [1, 4] {
          note(
            "attention \(format.rawValue) × \(count)", bytes: cache.bytes,
            cache.time(count: count, pool: pool, clock: clock))
        }
      }
      progress()
    }
    return best.map {
      KernelMeasurement(
        kernel: $0.name, gigabytesPerSecond: $0.rate / 1e9, share: $0.rate / bandwidth)
    }
  }
}

/// A cache of MusicGen-small's size at 1,500 positions.
private final class LargeCache {
  private var cache: KeyValueCache
  private static let (layers, heads, dimension, positions) = (24, 16, 64, 1500)
  let bytes: Int

  init(_ format: CacheFormat) {
    var cache = KeyValueCache(
      layers: Self.layers, heads: Self.heads, headDimension: Self.dimension,
      capacity: Self.positions + 4, format: format)
    var row = FloatBuffer(count: Self.heads * Self.dimension)
    var span = row.mutableSpan
    for i in 0..<span.count { span[i] = Float(i % 11 - 5) / 5 }
    for _ in 0..<Self.positions {
      for layer in 0..<Self.layers {
        cache.store(keys: row.span, values: row.span, count: 1, layer: layer)
      }
      cache.advance(by: 1)
    }
    bytes = cache.bytesRead(length: Self.positions)
    self.cache = cache
  }

  /// Seconds of attention of `count` queries in every layer.
  func time(count: Int, pool: ComputePool, clock: BenchClock) -> Double {
    let width = Self.heads * Self.dimension
    let queries = FloatBuffer([Float](repeating: 0.1, count: count * width))
    var output = FloatBuffer(count: count * width)
    return clock.seconds {
      for layer in 0..<Self.layers {
        var target = output.mutableSpan
        cache.attend(
          queries: queries.span, count: count, layer: layer, into: &target, pool: pool)
      }
    }
  }
}
