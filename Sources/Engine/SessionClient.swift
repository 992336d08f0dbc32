// A client of New Session Manager: announces itself, opens, saves, and switches sessions.
//
// Source: the NSM protocol, API 1.1 (published documentation). Messages go through the daemon's own OSC
// socket; the client library is not needed. No JACK client is opened before `/nsm/client/open`.

import Foundation
import Reporting

#if canImport(Glibc)
  import Glibc
#endif

/// One end of the conversation with a session manager. Control thread.
package final class SessionClient {
  /// What a session brings.
  package struct Session: Sendable, Equatable {
    /// Folder or path prefix of this client's files.
    package let path: String
    package let displayName: String
    /// The name that the JACK client is to have.
    package let clientID: String
  }

  private let manager: OSCPeer
  private let send: (OSCMessage, OSCPeer) -> Void
  /// Opens or switches to a session; what it throws is told to the manager.
  package var open: (Session) throws -> Void = { _ in }
  /// Saves the present session.
  package var save: (Session) throws -> Void = { _ in }
  package private(set) var session: Session?
  /// Whether the manager has been told that there is something to save.
  private var isDirty = false

  /// - Parameters:
  ///   - url: `$NSM_URL`: osc.udp://host:port/
  ///   - send: sends through the daemon's socket.
  /// Returns nil when the URL cannot be understood.
  package init?(url: String, send: @escaping (OSCMessage, OSCPeer) -> Void) {
    guard let components = URLComponents(string: url), components.scheme == "osc.udp",
      let host = components.host, let port = components.port, let number = UInt16(exactly: port),
      let address = Self.numeric(host)
    else { return nil }
    manager = OSCPeer(host: address, port: number)
    self.send = send
  }

  /// Says that a client is here. `executable` is what the manager starts next time.
  package func announce(executable: String) {
    send(
      OSCMessage(
        "/nsm/server/announce",
        [
          .string("Continuo"), .string(":switch:dirty:progress:message:"), .string(executable),
          .int(1), .int(1), .int(getpid()),
        ]), manager)
  }

  /// Tells whether there is something to save, when that has changed.
  package func tell(isDirty: Bool) {
    guard session != nil, isDirty != self.isDirty else { return }
    self.isDirty = isDirty
    send(OSCMessage(isDirty ? "/nsm/client/is_dirty" : "/nsm/client/is_clean"), manager)
  }

  /// Tells the manager's user something. Priorities go from 0 to 3; a notice has 1.
  package func tell(message: String) {
    guard session != nil else { return }
    send(OSCMessage("/nsm/client/message", [.int(1), .string(message)]), manager)
  }

  /// Tells how far loading is, 0 … 1.
  package func tell(progress: Float) {
    send(OSCMessage("/nsm/client/progress", [.float(progress)]), manager)
  }

  /// Takes a message of the manager; false for all others. Only the manager is listened to.
  package func take(_ message: OSCMessage, from sender: OSCPeer) -> Bool {
    guard sender == manager else { return false }
    switch message.path {
    case "/nsm/client/open":
      guard message.arguments.count >= 3, let path = message.arguments[0].text,
        let display = message.arguments[1].text, let id = message.arguments[2].text,
        path.hasPrefix("/")
      else {
        answer("/nsm/client/open", code: -1, "three texts are needed: path, name, client id")
        return true
      }
      let next = Session(path: path, displayName: display, clientID: id)
      tell(progress: 0)
      attempt("/nsm/client/open") {
        try open(next)
        session = next
        tell(isDirty: false)
      }
      tell(progress: 1)
      return true
    case "/nsm/client/save":
      guard let session else {
        answer("/nsm/client/save", code: -6, "no session is open")
        return true
      }
      attempt("/nsm/client/save") {
        try save(session)
        tell(isDirty: false)
      }
      return true
    case "/reply", "/error", "/nsm/client/session_is_loaded", "/nsm/client/show_optional_gui",
      "/nsm/client/hide_optional_gui":
      return true
    default:
      return false
    }
  }

  private func attempt(_ path: String, _ body: () throws -> Void) {
    do {
      try body()
      send(OSCMessage("/reply", [.string(path), .string("OK")]), manager)
    } catch {
      let code = (error as? ControlError)?.code ?? -1
      answer(path, code: code, explanation(of: error))
    }
  }

  private func answer(_ path: String, code: Int32, _ text: String) {
    send(OSCMessage("/error", [.string(path), .int(code), .string(text)]), manager)
  }

  /// The IPv4 address of a host name, as numbers.
  private static func numeric(_ host: String) -> String? {
    var hints = unsafe addrinfo()
    unsafe hints.ai_family = AF_INET
    var found: UnsafeMutablePointer<addrinfo>?
    guard unsafe getaddrinfo(host, nil, &hints, &found) == 0, let first = unsafe found else {
      return nil
    }
    defer { unsafe freeaddrinfo(first) }
    var text = [CChar](repeating: 0, count: 64)
    let status = unsafe getnameinfo(
      first.pointee.ai_addr, first.pointee.ai_addrlen, &text, 64, nil, 0, NI_NUMERICHOST)
    guard status == 0 else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
