import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("EnCodec decoder state")
struct EnCodecDecoderStateTests {
  /// Decodes in pieces of random size.
  private func stream(
    _ codes: [Int32], _ state: EnCodecDecoderState, random: inout TestRandom, largest: Int = 7
  ) -> [Float] {
    let pool = ComputePool(threads: 2)
    var audio: [Float] = []
    var rest = codes[...]
    while !rest.isEmpty {
      let steps = Int.random(in: 0...largest, using: &random)
      audio += state.push(Array(rest.prefix(steps * state.codebooks)), pool: pool)
      rest = rest.dropFirst(steps * state.codebooks)
    }
    return audio + state.finish(pool: pool)
  }

  @Test("streams what the whole clip gives, whatever the pieces", arguments: EnCodecFixture.names)
  func chunks(name: String) throws {
    let codec = try EnCodecFixture(name).codec
    var random = TestRandom(seed: 4)
    for clip in 0..<25 {
      let steps = clip < 5 ? clip + 1 : Int.random(in: 1...40, using: &random)
      let codes = (0..<steps * codec.codebooks).map { _ in
        Int32.random(in: 0..<Int32(codec.quantiser.cardinality), using: &random)
      }
      let whole = try codec.decode(codes, pool: ComputePool())
      let state = EnCodecDecoderState(
        codec: codec, blockSteps: Int.random(in: 1...12, using: &random))
      let audio = stream(codes, state, random: &random)
      #expect(audio == whole, "\(steps) steps")
      #expect(state.framesGiven == steps * codec.hop)
    }
  }

  @Test(
    "gives every frame as soon as no later step can change it", arguments: EnCodecFixture.names)
  func finality(name: String) throws {
    let codec = try EnCodecFixture(name).codec
    let pool = ComputePool()
    var random = TestRandom(seed: 5)
    let steps = 30
    let books = codec.codebooks
    let codes = (0..<steps * books).map { _ in
      Int32.random(in: 0..<Int32(codec.quantiser.cardinality), using: &random)
    }
    let whole = try codec.decode(codes, pool: pool)
    for known in [12, 13, 20] {
      let state = EnCodecDecoderState(codec: codec)
      let channels = codec.config.audioChannels
      let given = state.push(Array(codes.prefix(known * books)), pool: pool).count / channels
      #expect(given == known * codec.hop - codec.decoderLookahead)
      var other = codes
      for index in known * books..<codes.count {
        other[index] = (other[index] + 1) % Int32(codec.quantiser.cardinality)
      }
      let changed = try codec.decode(other, pool: pool)
      let first = (0..<whole.count).first { abs(whole[$0] - changed[$0]) > 1e-7 } ?? whole.count
      // Final means unchanged; and nothing was held back for long without need.
      #expect(first >= given * channels)
      #expect(first < given * channels + 2 * codec.hop * channels)
    }
  }

  @Test("returns to a snapshot and goes on bit for bit as before", arguments: EnCodecFixture.names)
  func snapshots(name: String) throws {
    let codec = try EnCodecFixture(name).codec
    let pool = ComputePool()
    var random = TestRandom(seed: 6)
    let state = EnCodecDecoderState(codec: codec, blockSteps: 3)
    func codes(_ steps: Int) -> [Int32] {
      (0..<steps * codec.codebooks).map { _ in
        Int32.random(in: 0..<Int32(codec.quantiser.cardinality), using: &random)
      }
    }
    // At every step from the very first on, also where no frame has come out yet.
    var ring = (0..<12).map { _ in state.makeSnapshot() }
    var pieces: [([Int32], [Float])] = []
    for snapshot in ring {
      state.save(to: snapshot)
      let piece = codes(1)
      pieces.append((piece, state.push(piece, pool: pool)))
    }
    let end = state.finish(pool: pool)
    for back in [11, 5, 1, 0] {
      state.restore(from: ring[back])
      #expect(state.stepsTaken == back)
      for (piece, audio) in pieces[back...] { #expect(state.push(piece, pool: pool) == audio) }
      #expect(state.finish(pool: pool) == end)
    }
    state.reset()
    #expect(state.push(pieces[0].0, pool: pool) == pieces[0].1)
    ring.removeAll()
  }

  @Test("gives the same bits with one thread and with three")
  func threads() throws {
    let codec = try EnCodecFixture("musicgen").codec
    var random = TestRandom(seed: 7)
    let codes = (0..<40 * codec.codebooks).map { _ in Int32.random(in: 0..<32, using: &random) }
    let one = try codec.decode(codes, pool: ComputePool(threads: 1))
    let three = try codec.decode(codes, pool: ComputePool(threads: 3))
    #expect(one == three)
  }
}
