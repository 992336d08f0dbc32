import Models
import Testing

@Suite("Counter-based random numbers")
struct CounterRandomTests {
  // Known answers of Philox 4×32-10 published with Random123 (kat_vectors).
  @Test("Philox gives the published known answers")
  func knownAnswers() {
    let zero = SIMD4<UInt32>(repeating: 0)
    #expect(
      CounterRandom(seed: 0).words(zero)
        == SIMD4<UInt32>(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
    #expect(
      CounterRandom(seed: .max).words(SIMD4<UInt32>(repeating: .max))
        == SIMD4<UInt32>(0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD))
    #expect(
      CounterRandom(seed: 0x299F_31D0_A409_3822)
        .words(SIMD4<UInt32>(0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344))
        == SIMD4<UInt32>(0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1))
  }

  @Test("uniform numbers lie in [0, 1) and fill it evenly")
  func uniform() {
    let random = CounterRandom(seed: 5)
    var counts = [Int](repeating: 0, count: 10)
    for step in 0..<5000 {
      for codebook in 0..<4 {
        let value = random.uniform(step: step, codebook: codebook)
        #expect(value >= 0 && value < 1)
        counts[Int(value * 10)] += 1
      }
    }
    // 2000 expected per tenth; four standard deviations are 170.
    for count in counts { #expect(abs(count - 2000) < 170) }
  }
}
