import Foundation
import Testing

@testable import Engine

@Suite struct OSCMessageTests {
  @Test func everyTypeSurvivesTheWayThroughBytes() throws {
    let message = OSCMessage(
      "/knob/1/strength",
      [
        .int(-7), .int64(1 << 40), .float(0.25), .double(.pi), .string("Größe"), .bool(true),
        .bool(false), .nil, .time(OSCTime.tag(seconds: 1.5)), .blob([1, 2, 3]),
      ])
    let packet = try #require(message.packet)
    #expect(packet.count % 4 == 0)
    #expect(OSCMessage(packet: packet) == message)
    #expect(message.types == "ihfdsTFNtb")
  }

  @Test func bytesAreThoseOfTheSpecification() throws {
    // OSC 1.0, "/oscillator/4/frequency" with 440.0: the example of the specification.
    let packet = try #require(OSCMessage("/oscillator/4/frequency", [.float(440)]).packet)
    var expected = Data("/oscillator/4/frequency\0".utf8)
    expected.append(Data(",f\0\0".utf8))
    expected.append(contentsOf: [0x43, 0xDC, 0, 0])
    #expect(packet == expected)
  }

  @Test func brokenPacketsAreNoMessages() {
    #expect(OSCMessage(packet: Data()) == nil)
    #expect(OSCMessage(packet: Data("no slash".utf8)) == nil)
    // The packet that ends scsynth 3.13: types without their data.
    #expect(OSCMessage(packet: Data("/n_set\0\0,iii\0\0\0\0".utf8)) == nil)
    #expect(OSCMessage(packet: Data("/abc,iii".utf8)) == nil)
  }
}
