import Kernels
import Synchronization
import Testing

@Suite("Compute pool")
struct ComputePoolTests {
  @Test(
    "every chunk is computed exactly once, with any number of threads", arguments: [1, 2, 3, 4, 9])
  func coverage(threads: Int) {
    let pool = ComputePool(threads: threads)
    for chunks in [1, 2, 3, 7, 64, 1000] {
      for _ in 0..<20 {
        var seen = FloatBuffer(count: chunks)
        var span = seen.mutableSpan
        unsafe span.withUnsafeMutableBufferPointer { target in
          let start = target.baseAddress!
          pool.run(chunks: chunks) { chunk in unsafe start[chunk] += Float(chunk + 1) }
        }
        #expect(seen.array() == (0..<chunks).map { Float($0 + 1) })
      }
    }
  }

  @Test("a run without chunks returns at once")
  func empty() {
    ComputePool(threads: 2).run(chunks: 0) { _ in Issue.record("called") }
  }

  @Test("helpers take part, and again after they have slept")
  func participation() throws {
    let pool = ComputePool(threads: 2)
    for _ in 0..<2 {
      let before = pool.helpedRuns
      // Each run ends only when its chunks do; a chunk that waits for the other proves two threads.
      let waiting = Atomic<Int>(0)
      pool.run(chunks: 2) { _ in
        waiting.add(1, ordering: .relaxed)
        let start = ContinuousClock.now
        while waiting.load(ordering: .relaxed) < 2, ContinuousClock.now - start < .seconds(5) {}
      }
      #expect(waiting.load(ordering: .relaxed) == 2)
      let patience = ContinuousClock.now
      while pool.helpedRuns == before, ContinuousClock.now - patience < .seconds(5) {}
      #expect(pool.helpedRuns > before)
      let pause = ContinuousClock.now
      while ContinuousClock.now - pause < .milliseconds(30) {}
    }
  }

  @Test("many pools come and go without losing a thread")
  func lifetimes() {
    for round in 0..<200 {
      let pool = ComputePool(threads: 3, pinned: round % 2 == 0)
      #expect(pool.threads == 3)
      let sum = Atomic<Int>(0)
      pool.run(chunks: round % 5 + 1) { chunk in sum.add(chunk + 1, ordering: .relaxed) }
      let chunks = round % 5 + 1
      #expect(sum.load(ordering: .relaxed) == chunks * (chunks + 1) / 2)
    }
  }

  @Test("denormals count as zero inside chunks, and the caller's mode comes back")
  func denormals() {
    let tiny = Float.leastNormalMagnitude
    for threads in [1, 2] {
      let pool = ComputePool(threads: threads)
      var products = FloatBuffer(count: 64)
      var span = products.mutableSpan
      unsafe span.withUnsafeMutableBufferPointer { target in
        let start = target.baseAddress!
        pool.run(chunks: 64) { chunk in unsafe start[chunk] = halve(tiny) }
      }
      #expect(products.array() == [Float](repeating: 0, count: 64))
      #expect(halve(tiny) != 0)
    }
  }

  @Test("chunks left over by a sleeping helper are done by the caller")
  func oversubscribed() {
    // Nine threads on fewer processors: most helpers are away at any time.
    let pool = ComputePool(threads: 9)
    let sum = Atomic<Int>(0)
    for _ in 0..<2000 { pool.run(chunks: 3) { sum.add($0 + 1, ordering: .relaxed) } }
    #expect(sum.load(ordering: .relaxed) == 12000)
  }

  @inline(never) private func halve(_ value: Float) -> Float { value / 2 }
}
