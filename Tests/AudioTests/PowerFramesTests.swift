import Audio
import Testing

@Suite("Power frames")
struct PowerFramesTests {
  @Test("frames are centred on multiples of the hop, with zeros or a reflection beyond the ends")
  func centres() {
    var sound = [Float](repeating: 0, count: 1_000)
    sound[300] = 1
    for edge in [PowerFrames.Edge.zeros, .reflection] {
      let frames = PowerFrames(length: 64, hop: 100, edge: edge)
      #expect(frames.count(of: 1_000) == 11 && frames.bins == 33)
      var seen: [Int: Float] = [:]
      frames.forEach(of: sound) { frame, power in
        seen[frame] = power[0]
        // A click has the same power everywhere.
        #expect(power.allSatisfy { abs($0 - power[0]) < 1e-4 })
      }
      #expect(seen.count == 11)
      #expect(seen.filter { $0.value > 1e-6 }.keys.sorted() == [3])
      // In the middle the window is 1.
      #expect(abs((seen[3] ?? 0) - 1) < 1e-4)
    }
  }

  @Test("a reflected edge keeps the level of a constant, zeros take half of it away")
  func edges() {
    let sound = [Float](repeating: 1, count: 512)
    func first(_ edge: PowerFrames.Edge) -> Float {
      var found: Float = 0
      PowerFrames(length: 128, hop: 128, edge: edge).forEach(of: sound) { frame, power in
        if frame == 0 { found = power[0] }
      }
      return found.squareRoot()
    }
    #expect(abs(first(.reflection) - 64) < 1e-2)
    #expect(abs(first(.zeros) - 32.5) < 1e-2)
  }
}
