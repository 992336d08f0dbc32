import Testing

@testable import Engine

@Suite struct MessageRingTests {
  @Test func messagesComeOutInTheirOrderAndAFullRingRefuses() {
    let ring = MessageRing(capacity: 2)
    #expect(ring.offer(0xB0_0740) == true)
    #expect(ring.offer(0xB0_0741) == true)
    #expect(ring.offer(0xB0_0742) == false)
    #expect(ring.take() == 0xB0_0740)
    #expect(ring.take() == 0xB0_0741)
    #expect(ring.take() == 0)
  }
}
