import Foundation
import Kernels
import Testing

@Suite("Memory bandwidth")
struct MemoryBandwidthTests {
  @Test("a pass reads memory that is there already: no page is fetched while the clock runs")
  func touched() throws {
    let bandwidth = MemoryBandwidth(megabytes: 16)
    #expect(bandwidth.bytes == 16 << 20)
    /// Pages that this thread had to wait for so far; see proc_pid_stat(5).
    func faults() throws -> Int {
      let text = try String(contentsOfFile: "/proc/thread-self/stat", encoding: .utf8)
      let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
      return try #require(Int(fields[8])) + #require(Int(fields[10]))
    }
    let pool = ComputePool()
    let before = try faults()
    bandwidth.read(pool: pool)
    // Of 4096 small pages.
    #expect(try faults() - before < 100)
  }

  @Test("a pass is shared among the threads of a pool")
  func shared() {
    let bandwidth = MemoryBandwidth(megabytes: 64)
    let pool = ComputePool(threads: 2)
    for _ in 0..<200 where pool.helpedRuns == 0 { bandwidth.read(pool: pool) }
    #expect(pool.helpedRuns > 0)
  }
}
