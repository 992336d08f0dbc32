import Foundation
import Testing

@testable import Kernels

@Suite("Constant buffer")
struct ConstantBufferTests {
  @Test("holds what was filled in and zeros elsewhere, for floats and for 16-bit words")
  func filled() {
    let floats = ConstantBuffer<Float>(count: 5) { span in
      span[1] = 2.5
      span[4] = -1
    }
    #expect(floats.span.indices.map { floats.span[$0] } == [0, 2.5, 0, 0, -1])
    let words = ConstantBuffer<Int16>(count: 3) { $0[2] = -32_767 }
    #expect(words.span.indices.map { words.span[$0] } == [0, 0, -32_767])
  }

  @Test("copies an array, and lies on a cache line")
  func copied() {
    let values = (0..<1_001).map { Float($0) * 0.5 }
    let buffer = ConstantBuffer(values)
    #expect(buffer.count == values.count)
    #expect(buffer.span.indices.allSatisfy { buffer.span[$0] == values[$0] })
    #expect(unsafe UInt(bitPattern: buffer.base) % 64 == 0)
  }

  @Test("may be empty: weights that are kept in another form only")
  func empty() {
    let none = ConstantBuffer<Float>(count: 0) { _ in }
    let copied = ConstantBuffer([Float]())
    #expect(none.count == 0 && none.span.count == 0)
    #expect(copied.count == 0 && copied.span.count == 0)
  }

  @Test("gives many threads the same numbers at once")
  func threads() {
    let buffer = ConstantBuffer((0..<4_096).map { Float($0) })
    let pool = ComputePool(threads: 4)
    let sums = WorkBuffer(count: 64)
    pool.run(chunks: 64) { chunk in
      var sum: Float = 0
      for i in chunk * 64..<(chunk + 1) * 64 { sum += buffer.span[i] }
      var target = sums.mutableSpan(chunk..<chunk + 1)
      target[0] = sum
    }
    for (chunk, sum) in sums.array().enumerated() {
      #expect(sum == Float(chunk * 64 * 64 + 63 * 32))
    }
  }
}
