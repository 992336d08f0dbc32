import Kernels
import Testing

@Suite("Float buffer")
struct FloatBufferTests {
  @Test("starts as zeros and keeps what is written through a part of it")
  func partWrites() {
    var buffer = FloatBuffer(count: 5)
    #expect(buffer.array() == [0, 0, 0, 0, 0])
    var part = buffer.mutableSpan(1..<3)
    part[0] = 2
    part[1] = 3
    #expect(buffer.array() == [0, 2, 3, 0, 0])
    #expect(buffer.span(2..<4)[0] == 3)
  }
}
