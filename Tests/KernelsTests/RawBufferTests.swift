import Foundation
import Testing

@testable import Kernels

@Suite("Raw buffer")
struct RawBufferTests {
  @Test("zeros on a page of their own, with and without large pages", arguments: [true, false])
  func zeros(largePages: Bool) {
    let buffer = RawBuffer(bytes: 5 << 20, largePages: largePages)
    #expect(buffer.bytes == 5 << 20)
    #expect(unsafe UInt(bitPattern: buffer.base) % 4096 == 0)
    for offset in [0, 4095, 4096, (5 << 20) - 1] {
      #expect(unsafe buffer.base.load(fromByteOffset: offset, as: UInt8.self) == 0)
      unsafe buffer.base.storeBytes(of: 0xA5, toByteOffset: offset, as: UInt8.self)
      #expect(unsafe buffer.base.load(fromByteOffset: offset, as: UInt8.self) == 0xA5)
    }
  }

  @Test("its pages cost nothing until they are touched")
  func untouched() {
    let (pages, page) = (1024, 4096)
    let buffer = RawBuffer(bytes: pages * page, largePages: false)
    func resident() -> Int {
      var state = [UInt8](repeating: 0, count: pages)
      #expect(unsafe mincore(buffer.base, pages * page, &state) == 0)
      return state.count { $0 & 1 == 1 }
    }
    #expect(resident() == 0)
    unsafe buffer.base.storeBytes(of: 1, toByteOffset: 10 * page, as: UInt8.self)
    #expect((1...16).contains(resident()))
  }

  @Test("may be empty")
  func empty() { #expect(RawBuffer(bytes: 0).bytes == 0) }
}
