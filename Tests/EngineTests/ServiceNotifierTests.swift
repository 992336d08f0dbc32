import Foundation
import TestSupport
import Testing

@testable import Engine

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct ServiceNotifierTests {
  @Test func theManagerHearsReadyStatusAndTheWatchdog() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("notify").path
    let socket = Glibc.socket(
      AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    defer { close(socket) }
    var place = sockaddr_un()
    place.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &place.sun_path) {
      unsafe $0.copyBytes(from: Array(path.utf8))
    }
    let bound = unsafe withUnsafePointer(to: &place) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0)
    let notifier = ServiceNotifier(environment: [
      "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000000",
    ])
    notifier.ready(status: "listening")
    notifier.alive(now: 10)
    notifier.alive(now: 10.5)
    notifier.alive(now: 11.1)
    notifier.stopping()
    var heard: [String] = []
    var buffer = [UInt8](repeating: 0, count: 256)
    while true {
      let count = unsafe recv(socket, &buffer, 256, 0)
      guard count > 0 else { break }
      heard.append(String(decoding: buffer[..<count], as: UTF8.self))
    }
    #expect(heard == ["READY=1\nSTATUS=listening", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"])
  }

  @Test func withoutAManagerNothingHappens() {
    let notifier = ServiceNotifier(environment: [:])
    notifier.ready(status: "x")
    notifier.alive(now: 1)
  }
}
