// Tells the daemon how far a job is: /attribution/progress s job f share f seconds left, and what came out:
// /attribution/result s job s json; each in one OSC datagram to the daemon's port on this machine. The
// daemon passes it on to its subscribers.

import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// Sends small OSC messages over UDP on the loopback interface; silent when nobody listens.
final class ProgressSender {
  private let descriptor: Int32

  init() {
    descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// - Parameters:
  ///   - share: 0 … 1.
  ///   - secondsLeft: sent as −1 when nobody knows.
  ///   - port: 0 for nobody.
  func progress(job: Int64, share: Double, secondsLeft: Double?, to port: UInt16) {
    send(
      string("/attribution/progress") + string(",sff") + string("\(job)")
        + bytes(Float(share).bitPattern) + bytes(Float(secondsLeft ?? -1).bitPattern), to: port)
  }

  func result(job: Int64, json: String, to port: UInt16) {
    send(
      string("/attribution/result") + string(",ss") + string("\(job)") + string(json), to: port)
  }

  /// An OSC string: its bytes, a zero, padded to four.
  private func string(_ text: String) -> [UInt8] {
    var bytes = Array(text.utf8.filter { $0 != 0 })
    repeat { bytes.append(0) } while bytes.count % 4 != 0
    return bytes
  }

  private func bytes(_ word: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
  }

  private func send(_ message: [UInt8], to port: UInt16) {
    guard descriptor >= 0, port != 0, message.count < 60000 else { return }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
        _ = unsafe message.withUnsafeBytes { data in
          unsafe sendto(
            descriptor, data.baseAddress, data.count, Int32(MSG_DONTWAIT), target,
            socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
  }
}
