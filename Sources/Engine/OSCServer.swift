// The UDP socket that messages come from and answers leave by.
//
// The socket is ours, bound to one address (loopback unless told otherwise), and put in the place of
// liblo's own, which cannot be bound so. liblo checks and takes apart packets; answers are packed by it
// and sent from the same socket, so they leave from the port that controllers know.

internal import CLO
import Foundation
package import Reporting

#if canImport(Glibc)
  import Glibc
#endif

/// Why there is no OSC server.
package enum OSCServerError: Explained {
  case badAddress(String)
  case cannotBind(address: String, port: Int, reason: String)

  package var kind: FailureKind { .unavailable }
  package var problem: String {
    switch self {
    case .badAddress(let address): "\(address) is no numeric IPv4 address"
    case .cannotBind(let address, let port, let reason):
      "cannot listen on UDP \(address):\(port): \(reason)"
    }
  }
  package var remedy: String {
    switch self {
    case .badAddress: "give the address of an interface, such as 127.0.0.1"
    case .cannotBind: "choose another port with --osc-port, or end the other program"
    }
  }
}

/// Something that came in: messages that belong together.
package struct OSCIncoming: Sendable {
  package let messages: [OSCMessage]
  package let sender: OSCPeer
  /// The bundle's time tag; `OSCTime.immediately` outside bundles.
  package let timeTag: UInt64
}

/// Receives and sends Open Sound Control. Used by one thread.
///
/// Safe because the pointers are private, live as long as this object, and liblo calls back only from
/// inside `receive`, on the same thread.
@safe package final class OSCServer {
  /// The address and the port that it listens on.
  package let address: String
  package let port: UInt16
  private var socket: Int32 = -1
  private var server: UnsafeMutableRawPointer?
  private let handlers: UnsafeMutablePointer<continuo_osc_handlers>
  private var collected: [OSCIncoming] = []
  /// Time tags of the bundles that are open, the innermost last, and what stands in that one so far.
  private var bundle: (times: [UInt64], sender: OSCPeer?, messages: [OSCMessage]) = ([], nil, [])

  /// Binds `port` (0: any) on `address`.
  /// - Throws: `OSCServerError`.
  package init(address: String = "127.0.0.1", port: Int = 9770) throws {
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_port = in_port_t(UInt16(truncatingIfNeeded: port)).bigEndian
    guard unsafe inet_pton(AF_INET, address, &place.sin_addr) == 1 else {
      throw OSCServerError.badAddress(address)
    }
    let made = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = unsafe withUnsafePointer(to: &place) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(made, $0, size)
      }
    }
    guard made >= 0, (0...65535).contains(port), bound == 0 else {
      let reason = unsafe String(cString: strerror(errno))
      if made >= 0 { close(made) }
      throw OSCServerError.cannotBind(address: address, port: port, reason: reason)
    }
    var room: Int32 = 1 << 20
    _ = unsafe setsockopt(made, SOL_SOCKET, SO_RCVBUF, &room, socklen_t(4))
    var actual = sockaddr_in()
    var actualSize = size
    _ = unsafe withUnsafeMutablePointer(to: &actual) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(made, $0, &actualSize)
      }
    }
    self.address = address
    self.port = UInt16(bigEndian: actual.sin_port)
    unsafe handlers = .allocate(capacity: 1)
    unsafe handlers.initialize(
      to: continuo_osc_handlers(
        message: oscMessageArrived, bundle_begins: oscBundleBegins, bundle_ends: oscBundleEnds,
        context: nil))
    unsafe handlers.pointee.context = Unmanaged.passUnretained(self).toOpaque()
    unsafe server = continuo_osc_server(made, handlers)
    guard let server = unsafe server else {
      close(made)
      unsafe handlers.deallocate()
      throw OSCServerError.cannotBind(address: address, port: port, reason: "liblo refused")
    }
    socket = unsafe continuo_osc_server_socket(server)
    close(made)
  }

  deinit {
    if let server = unsafe server {
      unsafe continuo_osc_server_free(server)
      unsafe handlers.deallocate()
    }
  }

  /// What to poll for reading.
  package var descriptor: Int32 { socket }

  /// Takes what has come, at most `limit` packets.
  package func receive(limit: Int = 256) -> [OSCIncoming] {
    guard let server = unsafe server else { return [] }
    var packets = 0
    while packets < limit {
      bundle = ([], nil, [])
      let before = collected.count
      // A broken packet counts as received nothing; the next one may be whole.
      let received = unsafe continuo_osc_server_receive(server)
      if received <= 0 && collected.count == before && !isReadable { break }
      packets += 1
    }
    defer { collected = [] }
    return collected
  }

  private var isReadable: Bool {
    var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&descriptor, 1, 0) > 0
  }

  /// Sends `message` to `peer`; false when it did not leave.
  @discardableResult
  package func send(_ message: OSCMessage, to peer: OSCPeer) -> Bool {
    guard let packet = message.packet else { return false }
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_port = peer.port.bigEndian
    guard unsafe inet_pton(AF_INET, peer.host, &place.sin_addr) == 1 else { return false }
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let sent = unsafe packet.withUnsafeBytes { bytes in
      unsafe withUnsafePointer(to: &place) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe sendto(socket, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT), $0, size)
        }
      }
    }
    return sent == packet.count
  }

  fileprivate func arrived(_ message: OSCMessage, from sender: OSCPeer) {
    if !bundle.times.isEmpty {
      bundle.messages.append(message)
      bundle.sender = sender
    } else {
      collected.append(
        OSCIncoming(messages: [message], sender: sender, timeTag: OSCTime.immediately))
    }
  }

  fileprivate func bundleBegins(_ time: UInt64) {
    // Messages that stand before a nested bundle keep the outer time: they are handed over here. Those
    // behind it have the outer time again.
    handOver()
    bundle.times.append(time)
  }

  fileprivate func bundleEnds() {
    handOver()
    _ = bundle.times.popLast()
  }

  private func handOver() {
    guard !bundle.messages.isEmpty, let sender = bundle.sender, let time = bundle.times.last
    else { return }
    collected.append(OSCIncoming(messages: bundle.messages, sender: sender, timeTag: time))
    bundle.messages = []
  }
}

private func oscMessageArrived(
  _ path: UnsafePointer<CChar>?, _ host: UnsafePointer<CChar>?, _ port: UnsafePointer<CChar>?,
  _ message: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?
) {
  guard let path = unsafe path, let message = unsafe message, let context = unsafe context,
    let host = unsafe host, let port = unsafe port,
    let number = unsafe UInt16(String(cString: port))
  else { return }
  let server = unsafe Unmanaged<OSCServer>.fromOpaque(context).takeUnretainedValue()
  unsafe server.arrived(
    OSCMessage(String(cString: path), OSCMessage.arguments(of: message)),
    from: OSCPeer(host: String(cString: host), port: number))
}

private func oscBundleBegins(
  _ seconds: UInt32, _ fraction: UInt32, _ context: UnsafeMutableRawPointer?
) {
  guard let context = unsafe context else { return }
  unsafe Unmanaged<OSCServer>.fromOpaque(context).takeUnretainedValue()
    .bundleBegins(UInt64(seconds) << 32 | UInt64(fraction))
}

private func oscBundleEnds(_ context: UnsafeMutableRawPointer?) {
  guard let context = unsafe context else { return }
  unsafe Unmanaged<OSCServer>.fromOpaque(context).takeUnretainedValue().bundleEnds()
}
