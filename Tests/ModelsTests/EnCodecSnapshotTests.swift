import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("EnCodec snapshot")
struct EnCodecSnapshotTests {
  private let pool = ComputePool()

  private func codes(_ codec: EnCodec, _ steps: Int, seed: UInt64) -> [Int32] {
    var random = TestRandom(seed: seed)
    return (0..<steps * codec.codebooks).map { _ in
      Int32.random(in: 0..<Int32(codec.quantiser.cardinality), using: &random)
    }
  }

  @Test(
    "another stream of the codec goes on from it, whatever its blocks",
    arguments: EnCodecFixture.names)
  func elsewhere(name: String) throws {
    let codec = try EnCodecFixture(name).codec
    let (one, other) = (
      EnCodecDecoderState(codec: codec, blockSteps: 3),
      EnCodecDecoderState(codec: codec, blockSteps: 8)
    )
    _ = one.push(codes(codec, 11, seed: 1), pool: pool)
    let snapshot = one.makeSnapshot()
    one.save(to: snapshot)
    _ = other.push(codes(codec, 4, seed: 2), pool: pool)
    #expect(other.makeSnapshot().bytes == snapshot.bytes)
    other.restore(from: snapshot)
    #expect(other.stepsTaken == one.stepsTaken && other.framesGiven == one.framesGiven)
    let rest = codes(codec, 9, seed: 3)
    #expect(other.push(rest, pool: pool) == one.push(rest, pool: pool))
    #expect(other.finish(pool: pool) == one.finish(pool: pool))
  }

  @Test("is overwritten by the next save, and restored as often as wanted")
  func again() throws {
    let codec = try EnCodecFixture("musicgen").codec
    let state = EnCodecDecoderState(codec: codec)
    let snapshot = state.makeSnapshot()
    state.save(to: snapshot)
    _ = state.push(codes(codec, 5, seed: 1), pool: pool)
    state.save(to: snapshot)
    let next = codes(codec, 6, seed: 2)
    let expected = state.push(next, pool: pool)
    for _ in 0..<3 {
      state.restore(from: snapshot)
      #expect(state.stepsTaken == 5)
      #expect(state.push(next, pool: pool) == expected)
    }
  }

  @Test("remembers that a stream has not begun, and that it has ended")
  func ends() throws {
    let codec = try EnCodecFixture("musicgen").codec
    let state = EnCodecDecoderState(codec: codec)
    let (fresh, ended) = (state.makeSnapshot(), state.makeSnapshot())
    state.save(to: fresh)
    let piece = codes(codec, 7, seed: 4)
    let whole = state.push(piece, pool: pool) + state.finish(pool: pool)
    state.save(to: ended)
    state.restore(from: fresh)
    #expect(state.stepsTaken == 0 && state.framesGiven == 0)
    #expect(state.push(piece, pool: pool) + state.finish(pool: pool) == whole)
    state.restore(from: ended)
    #expect(state.framesGiven == 7 * codec.hop)
  }
}
