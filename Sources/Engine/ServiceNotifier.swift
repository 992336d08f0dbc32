// Tells systemd how the daemon is: one datagram to $NOTIFY_SOCKET (sd_notify's protocol, published).

internal import CPoll
import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// Notifies the service manager; does nothing when there is none.
package final class ServiceNotifier {
  private let path: String?
  private let interval: Double?
  private var lastPing = 0.0

  package init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    path = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
    let isOurs = environment["WATCHDOG_PID"].map { Int32($0) == getpid() } ?? true
    interval =
      isOurs ? environment["WATCHDOG_USEC"].flatMap(Double.init).map { $0 * 1e-6 / 2 } : nil
  }

  /// Everything is there: OSC is bound and the model is loaded.
  package func ready(status: String) { send("READY=1\nSTATUS=\(status)") }
  /// A line for `systemctl status`.
  package func tell(status: String) { send("STATUS=\(status)") }
  /// The end has begun.
  package func stopping() { send("STOPPING=1") }

  /// Pings the watchdog when it is time. `now` in seconds.
  package func alive(now: Double) {
    guard let interval, now - lastPing >= interval else { return }
    lastPing = now
    send("WATCHDOG=1")
  }

  private func send(_ text: String) {
    guard let path else { return }
    let socket = continuo_local_datagram_socket()
    guard socket >= 0 else { return }
    defer { close(socket) }
    var place = sockaddr_un()
    place.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(path.utf8)
    // A leading @ means the abstract namespace.
    if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
    guard bytes.count < 108 else { return }
    unsafe withUnsafeMutableBytes(of: &place.sun_path) { unsafe $0.copyBytes(from: bytes) }
    let size = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    let message = Array(text.utf8)
    _ = unsafe withUnsafePointer(to: &place) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe sendto(socket, message, message.count, Int32(MSG_NOSIGNAL), $0, size)
      }
    }
  }
}
