import TestSupport
import Testing

@testable import Engine

@Suite struct FloatRingTests {
  private func read(_ ring: borrowing FloatRing, _ frame: Int, _ count: Int) -> [Float] {
    var target = [Float](repeating: 9, count: max(count, 0))
    unsafe target.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      unsafe ring.copy(from: frame, count: count, to: base)
    }
    return target
  }

  private func store(_ ring: borrowing FloatRing, _ values: [Float], at frame: Int) {
    unsafe values.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      unsafe ring.store(base, at: frame, count: buffer.count)
    }
  }

  @Test(arguments: [(0, 1024), (1, 1024), (1024, 1024), (1025, 2048), (100_000, 131_072)])
  func hasAPowerOfTwoOfFramesAndAtLeastThoseAskedFor(minimum: Int, capacity: Int) {
    let ring = FloatRing(minimum: minimum)
    #expect(ring.capacity == capacity)
    #expect(read(ring, 0, capacity).allSatisfy { $0 == 0 }, "silent at first")
  }

  @Test func whatCrossesTheEndComesOutInOnePiece() {
    let ring = FloatRing(minimum: 1024)
    store(ring, [1, 2, 3, 4], at: 1022)
    #expect(read(ring, 1022, 4) == [1, 2, 3, 4])
    #expect(read(ring, 1023, 2) == [2, 3])
    #expect(ring[1022] == 1 && ring[1024] == 3 && ring[0] == 3)
    ring.clear(at: 1023, count: 2)
    #expect(read(ring, 1022, 4) == [1, 0, 0, 4])
  }

  @Test func framesBeforeTheBeginningOfTimeHavePlacesToo() {
    let ring = FloatRing(minimum: 1024)
    store(ring, [1, 2, 3], at: -2)
    #expect(read(ring, -2, 3) == [1, 2, 3])
    #expect(ring[-1] == 2 && ring[1023] == 2)
  }

  @Test func aWholeRingAtAnOddPlaceIsKept() {
    let ring = FloatRing(minimum: 1024)
    let values = (0..<1024).map { Float($0) }
    store(ring, values, at: 5_000_001)
    #expect(read(ring, 5_000_001, 1024) == values)
  }

  @Test func moreThanFitsAndLessThanNothingAreNotTouched() {
    let ring = FloatRing(minimum: 1024)
    store(ring, [Float](repeating: 1, count: 1024), at: 0)
    store(ring, [Float](repeating: 2, count: 1025), at: 0)
    ring.clear(at: 0, count: 1025)
    ring.clear(at: 0, count: 0)
    ring.clear(at: 0, count: -3)
    #expect(read(ring, 0, 1024).allSatisfy { $0 == 1 })
    #expect(read(ring, 0, 1025).allSatisfy { $0 == 9 }, "the reader's own memory stays as it is")
  }

  /// Against an obvious twin: an array of `capacity` frames, one at a time.
  @Test func manyWritesAtRandomPlacesAreThoseOfASlowRing() {
    let ring = FloatRing(minimum: 1024)
    var slow = [Float](repeating: 0, count: 1024)
    var random = TestRandom(seed: 3)
    func place(_ frame: Int) -> Int { (frame % 1024 + 1024) % 1024 }
    for _ in 0..<2_000 {
      let frame = Int.random(in: -5_000...1_000_000, using: &random)
      let count = Int.random(in: 0...1024, using: &random)
      if Bool.random(using: &random) {
        let values = (0..<count).map { _ in random.uniform() }
        store(ring, values, at: frame)
        for (offset, value) in values.enumerated() { slow[place(frame + offset)] = value }
      } else {
        ring.clear(at: frame, count: count)
        for offset in 0..<count { slow[place(frame + offset)] = 0 }
      }
      let from = Int.random(in: -5_000...1_000_000, using: &random)
      #expect(read(ring, from, 64) == (0..<64).map { slow[place(from + $0)] })
    }
  }
}
