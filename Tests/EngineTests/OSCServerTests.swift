import Foundation
import TestSupport
import Testing

@testable import Engine

#if canImport(Glibc)
  import Glibc
#endif

/// A server, and a plain socket that sends it bytes as they are.
private final class Wire {
  let server: OSCServer
  let socket: PacketSocket

  init() throws {
    server = try OSCServer(port: 0)
    socket = PacketSocket(to: server.port)
  }

  /// What the server makes of one packet.
  func take(_ packet: Data) -> [OSCIncoming] {
    socket.send(packet)
    return server.receive()
  }
}

/// A bundle of elements: packets of messages or other bundles.
private func bundle(_ time: UInt64, _ elements: [Data]) -> Data {
  func bytes(_ number: UInt64, _ count: Int) -> Data {
    Data((0..<count).reversed().map { UInt8(truncatingIfNeeded: number >> UInt64(8 * $0)) })
  }
  return elements.reduce(Data("#bundle\0".utf8) + bytes(time, 8)) {
    $0 + bytes(UInt64($1.count), 4) + $1
  }
}

private func packet(_ path: String, _ arguments: [OSCValue] = []) throws -> Data {
  try #require(OSCMessage(path, arguments).packet)
}

@Suite struct OSCServerTests {
  @Test func onlyLoopbackIsBoundUnlessTold() throws {
    let socket = try OSCServer(port: 0)
    var place = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = unsafe withUnsafeMutablePointer(to: &place) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(socket.descriptor, $0, &size)
      }
    }
    #expect(place.sin_addr.s_addr == UInt32(0x7F00_0001).bigEndian)
    #expect(UInt16(bigEndian: place.sin_port) == socket.port)
    #expect(throws: OSCServerError.self) { _ = try OSCServer(port: Int(socket.port)) }
    #expect(throws: OSCServerError.self) { _ = try OSCServer(address: "localhost!", port: 0) }
  }

  @Test func aPortThatCannotBeIsRefusedWithItsNumber() throws {
    for port in [-1, 65_536, 1 << 40] {
      do {
        _ = try OSCServer(port: port)
        Issue.record("port \(port) was bound")
      } catch let error as OSCServerError { #expect(error.problem.contains(":\(port): ")) }
    }
    // Somebody else's address.
    #expect(throws: OSCServerError.self) { try OSCServer(address: "192.0.2.1", port: 0) }
    #expect(throws: OSCServerError.self) { try OSCServer(address: "", port: 0) }
  }

  @Test func everyTypeComesAsItWasSentAndFromWhereItCame() throws {
    let (here, there) = (try OSCServer(port: 0), try OSCServer(port: 0))
    let message = OSCMessage(
      "/a/b",
      [
        .int(-7), .int64(1 << 40), .float(0.5), .double(1.0 / 3), .string("grüß"), .bool(true),
        .bool(false), .nil, .time(12_345 << 32), .blob([1, 2, 3, 255]),
      ])
    #expect(there.send(message, to: OSCPeer(host: "127.0.0.1", port: here.port)))
    let came = try #require(here.receive().first)
    #expect(came.messages == [message])
    #expect(came.sender == OSCPeer(host: "127.0.0.1", port: there.port))
    #expect(came.timeTag == OSCTime.immediately)
    #expect(here.send(OSCMessage("/back"), to: came.sender))
    #expect(there.receive().first?.messages == [OSCMessage("/back")])
  }

  @Test func messagesOfABundleComeTogetherWithItsTime() throws {
    let wire = try Wire()
    let time = OSCTime.tag(seconds: OSCTime.now() + 50)
    let came = wire.take(
      bundle(time, [try packet("/a", [.int(1)]), try packet("/b", [.float(2)])]))
    #expect(came.count == 1)
    #expect(came.first?.messages == [OSCMessage("/a", [.int(1)]), OSCMessage("/b", [.float(2)])])
    #expect(came.first?.timeTag == time)
    #expect(wire.take(bundle(time, [])).isEmpty)
  }

  @Test func messagesAroundANestedBundleKeepTheOuterTime() throws {
    let wire = try Wire()
    let outer = OSCTime.tag(seconds: OSCTime.now() + 50)
    let inner = OSCTime.tag(seconds: OSCTime.now() + 60)
    let came = wire.take(
      bundle(
        outer,
        [
          try packet("/before"), bundle(inner, [try packet("/inside")]), try packet("/behind"),
          bundle(inner, [bundle(inner + 9, [try packet("/deep")]), try packet("/last")]),
        ]))
    #expect(
      came.map { $0.messages.map(\.path) } == [
        ["/before"], ["/inside"], ["/behind"], ["/deep"], ["/last"],
      ])
    #expect(came.map(\.timeTag) == [outer, inner, outer, inner + 9, inner])
  }

  @Test func aBundleThatBreaksOffSpoilsNothingBehindIt() throws {
    let wire = try Wire()
    let whole = bundle(OSCTime.immediately, [try packet("/a", [.int(1)]), try packet("/b")])
    for length in stride(from: 1, to: whole.count, by: 3) {
      wire.socket.send(whole.prefix(length))
      wire.socket.send(try packet("/whole"))
      let came = wire.server.receive()
      #expect(came.last?.messages == [OSCMessage("/whole")], "\(length) bytes")
      #expect(came.last?.timeTag == OSCTime.immediately)
    }
  }

  @Test func soManyPacketsAreTakenAtATimeAndTheRestNext() throws {
    let wire = try Wire()
    for number in 0..<10 { wire.socket.send(try packet("/n", [.int(Int32(number))])) }
    var numbers: [Double] = []
    for expected in [4, 4, 2, 0] {
      let came = wire.server.receive(limit: 4)
      #expect(came.count == expected)
      numbers += came.compactMap { $0.messages.first?.arguments.first?.number }
    }
    #expect(numbers == (0..<10).map { Double($0) })
  }

  @Test func whatCannotLeaveIsTold() throws {
    let server = try OSCServer(port: 0)
    #expect(!server.send(OSCMessage("/a"), to: OSCPeer(host: "localhost", port: 9)))
    let large = OSCMessage("/a", [.blob([UInt8](repeating: 0, count: 70_000))])
    #expect(!server.send(large, to: OSCPeer(host: "127.0.0.1", port: 9)))
  }

  @Test func theSocketIsGoneWithTheServer() throws {
    var server: OSCServer? = try OSCServer(port: 0)
    let port = Int(try #require(server).port)
    #expect(throws: OSCServerError.self) { try OSCServer(port: port) }
    server = nil
    #expect(Int(try OSCServer(port: port).port) == port)
  }
}
