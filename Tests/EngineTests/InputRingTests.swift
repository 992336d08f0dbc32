import Testing

@testable import Engine

@Suite struct InputRingTests {
  private func write(_ ring: borrowing InputRing, _ values: [Float], at frame: Int) {
    unsafe values.withUnsafeBufferPointer { buffer in
      unsafe ring.write(buffer.baseAddress!, at: frame, count: buffer.count)
    }
  }

  private func read(_ ring: borrowing InputRing, _ frame: Int, _ count: Int) -> ([Float], Int) {
    var target = [Float](repeating: 9, count: count)
    var span = target.mutableSpan
    let there = ring.read(at: frame, into: &span)
    return (target, there)
  }

  @Test func whatWasPlayedCanBeReadAtItsFrames() {
    let ring = InputRing(capacity: 1024)
    write(ring, [1, 2, 3], at: 0)
    write(ring, [4, 5, 6], at: 3)
    #expect(ring.filled == 6)
    #expect(read(ring, 2, 3) == ([3, 4, 5], 3))
  }

  @Test func theFutureReadsAsSilence() {
    let ring = InputRing(capacity: 1024)
    write(ring, [1, 2, 3], at: 0)
    #expect(read(ring, 2, 3) == ([3, 0, 0], 1))
  }

  @Test func aSkippedPeriodBecomesSilence() {
    let ring = InputRing(capacity: 1024)
    write(ring, [1, 2], at: 0)
    write(ring, [3, 4], at: 4)
    #expect(read(ring, 0, 6) == ([1, 2, 0, 0, 3, 4], 6))
  }

  @Test func aLongGapBeginsAnew() {
    let ring = InputRing(capacity: 1024)
    write(ring, [1, 2], at: 0)
    write(ring, [3, 4], at: 100_000)
    #expect(ring.oldest == 100_000)
    #expect(read(ring, 99_999, 3) == ([0, 3, 4], 2))
  }

  @Test func whatIsTooOldIsGone() {
    let ring = InputRing(capacity: 1024)
    for block in 0..<100 {
      write(ring, [Float](repeating: Float(block), count: 1024), at: block * 1024)
    }
    #expect(ring.oldest > 0)
    #expect(ring.filled - ring.oldest >= 1024)
    #expect(read(ring, 99 * 1024, 2) == ([99, 99], 2))
    #expect(read(ring, 0, 2) == ([0, 0], 0))
  }
}
