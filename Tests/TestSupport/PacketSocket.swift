// A UDP socket for tests that sends bytes as they are, broken ones too.

package import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// Talks to one port of this machine. Used from one thread.
package final class PacketSocket {
  private let descriptor: Int32
  private var buffer = [UInt8](repeating: 0, count: 65536)

  /// Connects to UDP `port` of 127.0.0.1.
  package init(to port: UInt16) {
    descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_port = port.bigEndian
    place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    _ = unsafe withUnsafePointer(to: &place) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  deinit { close(descriptor) }

  /// Sends one packet, at most what a datagram holds; false when it did not leave.
  @discardableResult
  package func send(_ packet: Data) -> Bool {
    let bytes = packet.prefix(65507)
    return unsafe bytes.withUnsafeBytes {
      unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, 0) == bytes.count
    }
  }

  /// The next packet; nil when none comes within `seconds`.
  package func receive(within seconds: Double) -> Data? {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&waiting, 1, Int32(seconds * 1000)) > 0 else { return nil }
    let count = unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    return count >= 0 ? Data(buffer[0..<count]) : nil
  }

  /// Throws away what has come.
  package func drain() {
    while unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT)) > 0 {}
  }
}
