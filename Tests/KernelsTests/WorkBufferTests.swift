import Foundation
import Kernels
import Testing

@Suite("Work buffer")
struct WorkBufferTests {
  @Test("starts as zeros; what one part writes another reads")
  func parts() {
    let buffer = WorkBuffer(count: 6)
    #expect(buffer.array() == [0, 0, 0, 0, 0, 0])
    var part = buffer.mutableSpan(2..<5)
    part[0] = 1
    part[2] = 3
    var all = buffer.mutableSpan
    all[5] = 9
    #expect(buffer.array() == [0, 0, 1, 0, 3, 9])
    let read = buffer.span(4..<6)
    #expect(read.count == 2 && read[0] == 3 && read[1] == 9)
    #expect(buffer.span(6..<6).count == 0)
  }

  @Test("is overwritten as a whole, and cleared")
  func whole() {
    let buffer = WorkBuffer(count: 3)
    let values: [Float] = [1, 2, 3]
    buffer.copy(from: values.span)
    #expect(buffer.array() == values)
    buffer.clear()
    #expect(buffer.array() == [0, 0, 0])
  }

  @Test("returns to what was saved, bit for bit")
  func snapshot() {
    let buffer = WorkBuffer(count: 4)
    let values: [Float] = [-0.0, .infinity, .leastNonzeroMagnitude, 7]
    buffer.copy(from: values.span)
    #expect(buffer.bytes == 16)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: buffer.bytes, alignment: 4)
    defer { unsafe memory.deallocate() }
    unsafe buffer.save(to: memory)
    buffer.clear()
    unsafe buffer.restore(from: UnsafeRawPointer(memory))
    #expect(buffer.array().map(\.bitPattern) == values.map(\.bitPattern))
  }

  @Test("may be empty")
  func empty() {
    let buffer = WorkBuffer(count: 0)
    buffer.clear()
    let nothing: [Float] = []
    buffer.copy(from: nothing.span)
    let target = buffer.mutableSpan
    #expect(target.count == 0 && buffer.span.count == 0 && buffer.array().isEmpty)
  }
}
