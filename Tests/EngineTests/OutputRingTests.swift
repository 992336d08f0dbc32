import Foundation
import Synchronization
import Testing

@testable import Engine

/// A ring with a reader that stands at `head`.
private final class Bench: @unchecked Sendable {
  let ring: OutputRing
  var head = 0

  init(capacity: Int) { ring = OutputRing(capacity: capacity) }

  func publish(_ values: [Float], at frame: Int) -> Published {
    let mirrored = values.map { -$0 }
    return ring.publish(values.span, mirrored.span, at: frame)
  }

  @unsafe func rawRead(at head: Int, _ left: inout [Float], _ right: inout [Float]) -> Int {
    unsafe ring.read(at: head, count: left.count, left: &left, right: &right)
  }

  func truncate(to frame: Int) { ring.truncate(to: frame) }
  var written: Int { ring.written }
  var claimed: Int { ring.claimed }

  /// Reads the next `count` frames; the left channel, nil where nothing was ready.
  func read(_ count: Int) -> [Float?] {
    var left = [Float](repeating: 0, count: count)
    var right = left
    let ready = unsafe ring.read(at: head, count: count, left: &left, right: &right)
    head += count
    for index in 0..<ready { #expect(right[index] == -left[index]) }
    return left.enumerated().map { $0.offset < ready ? $0.element : nil }
  }
}

/// Reads as fast as it can until told to stop; frame f must hold f.
private final class Reader: @unchecked Sendable {
  private let bench: Bench
  private let phase = Atomic<Int>(0)
  private let wrongFrames = Atomic<Int>(0)
  private let heardFrames = Atomic<Int>(0)

  init(_ bench: Bench) { self.bench = bench }

  func run() {
    var left = [Float](repeating: 0, count: 64)
    var right = left
    var head = 0
    var wrong = 0
    var heard = 0
    while phase.load(ordering: .relaxed) == 0 {
      let ready = unsafe bench.rawRead(at: head, &left, &right)
      for index in 0..<ready {
        let value = Float(head + index)
        if left[index] != value || right[index] != -value { wrong += 1 }
      }
      heard += ready
      head += 64
      usleep(20)
    }
    wrongFrames.store(wrong, ordering: .relaxed)
    heardFrames.store(heard, ordering: .relaxed)
    phase.store(2, ordering: .releasing)
  }

  func finish() -> (wrong: Int, heard: Int) {
    phase.store(1, ordering: .releasing)
    while phase.load(ordering: .acquiring) != 2 { usleep(1000) }
    return (wrongFrames.load(ordering: .relaxed), heardFrames.load(ordering: .relaxed))
  }
}

@Suite struct OutputRingTests {
  @Test func framesComeOutWhereTheyWerePut() {
    let bench = Bench(capacity: 1024)
    #expect(bench.publish([1, 2, 3, 4], at: 0) == Published(start: 0, late: 0))
    #expect(bench.publish([5, 6], at: 4) == Published(start: 4, late: 0))
    #expect(bench.read(3) == [1, 2, 3])
    #expect(bench.read(5) == [4, 5, 6, nil, nil])
  }

  @Test func whatIsNotClaimedCanBeRewrittenAndTheOldTailIsForgotten() {
    let bench = Bench(capacity: 1024)
    _ = bench.publish([Float](repeating: 1, count: 100), at: 0)
    #expect(bench.read(10) == [Float](repeating: 1, count: 10))
    #expect(bench.publish([7, 8], at: 20) == Published(start: 20, late: 0))
    let written = bench.written
    #expect(written == 22)
    #expect(bench.read(10) == [Float](repeating: 1, count: 10))
    #expect(bench.read(3) == [7, 8, nil])
  }

  @Test func aRewriteThatComesTooLateIsFadedInBehindTheReader() {
    let bench = Bench(capacity: 4096)
    _ = bench.publish([Float](repeating: 0, count: 1000), at: 0)
    _ = bench.read(100)
    let result = bench.publish([Float](repeating: 1, count: 900), at: 60)
    #expect(result == Published(start: 100, late: 40))
    let heard = bench.read(860).map { $0 ?? -9 }
    #expect(heard[0] > 0 && heard[0] < 0.01)
    for index in 1..<OutputRing.lateFade { #expect(heard[index] > heard[index - 1]) }
    #expect(heard[OutputRing.lateFade...].allSatisfy { $0 == 1 })
  }

  @Test func aGapBeforeNewFramesIsSilent() {
    let bench = Bench(capacity: 1024)
    _ = bench.publish([Float](repeating: 5, count: 1024), at: 0)
    _ = bench.read(1024)
    _ = bench.publish([1], at: 1030)
    #expect(bench.read(7) == [0, 0, 0, 0, 0, 0, 1])
  }

  @Test func framesThatAreAllLateChangeNothing() {
    let bench = Bench(capacity: 1024)
    _ = bench.read(500)
    #expect(bench.publish([1, 2, 3], at: 100) == Published(start: 103, late: 3))
    #expect(bench.read(3) == [nil, nil, nil])
  }

  @Test func truncatingTakesBackWhatIsNotPlayed() {
    let bench = Bench(capacity: 1024)
    _ = bench.publish([1, 2, 3, 4], at: 0)
    bench.truncate(to: 2)
    #expect(bench.read(4) == [1, 2, nil, nil])
  }

  @Test func thousandsOfFramesWrapAroundInOrder() {
    let bench = Bench(capacity: 1024)
    var next: Float = 0
    var expected: Float = 0
    for _ in 0..<200 {
      let values = (0..<37).map { next + Float($0) }
      _ = bench.publish(values, at: Int(next))
      next += 37
      for value in bench.read(37) {
        #expect(value == expected)
        expected += 1
      }
    }
  }

  /// The hand-over under fire: a reader runs ahead while the writer rewrites just before it. Frame f
  /// holds f, so that a frame of another place or of an earlier lap shows.
  @Test func aRacingReaderNeverHearsAFrameFromAnotherPlace() {
    let bench = Bench(capacity: 1 << 12)
    let reader = Reader(bench)
    Thread { reader.run() }.start()
    let until = ContinuousClock.now + .milliseconds(700)
    var distance = 0
    while ContinuousClock.now < until {
      distance = (distance + 7) % 200
      // Never behind what is written: no silent gaps, so that every frame has one right value.
      let from = min(bench.written, bench.claimed + distance)
      _ = bench.publish((0..<512).map { Float(from + $0) }, at: from)
    }
    let result = reader.finish()
    #expect(result.heard > 1000)
    #expect(result.wrong == 0)
  }
}
