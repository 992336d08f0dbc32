import Foundation
import Testing

@testable import Kernels

@Suite("Aligned memory")
struct AlignedMemoryTests {
  @Test(
    "whole lines of zeros, however few bytes are asked for", arguments: [0, 1, 63, 64, 65, 100_000])
  func lines(bytes: Int) {
    let memory = unsafe allocateLines(bytes: bytes)
    defer { unsafe free(memory) }
    #expect(UInt(bitPattern: memory) % 64 == 0)
    let whole = max(64, (bytes + 63) / 64 * 64)
    unsafe #expect(UnsafeRawBufferPointer(start: memory, count: whole).allSatisfy { $0 == 0 })
  }
}
