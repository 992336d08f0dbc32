// The sound server that is running, asked from outside: for reports, not for playing.

import CJACK
import Foundation
import Reporting

/// What a JACK server, or PipeWire in its place, says of itself.
package struct SoundServer: Sendable, Equatable {
  /// "JACK 1.9.21", or with PipeWire's name in it.
  package var version: String
  /// Frames per second.
  package var rate: Int
  /// Frames per period.
  package var period: Int
  /// Whether clients get real-time threads.
  package var isRealTime: Bool

  /// Asks the running server; starts none.
  /// - Parameter name: of the server; nil for the default one.
  /// - Returns: nil when none answers.
  package static func running(name: String? = nil) -> SoundServer? {
    // The library tells every failed attempt on standard error; here that is the answer itself.
    unsafe jack_set_error_function(silent)
    unsafe jack_set_info_function(silent)
    var status = JackStatus(rawValue: 0)
    let options = JackOptions(rawValue: JackNoStartServer.rawValue)
    guard
      let client = unsafe continuo_jack_client_open("continuo-doctor", options, &status, name)
    else { return nil }
    defer { unsafe _ = jack_client_close(client) }
    let version = unsafe jack_get_version_string().map { unsafe String(cString: $0) } ?? ""
    return SoundServer(
      version: printable(version), rate: Int(unsafe jack_get_sample_rate(client)),
      period: Int(unsafe jack_get_buffer_size(client)),
      isRealTime: unsafe jack_is_realtime(client) != 0)
  }
}

/// Free and named: a closure here would belong to an actor and die on another thread.
private func silent(_ message: UnsafePointer<CChar>?) {}
