// A session manager that does what a test tells it, over the protocol of New Session Manager.

package import Engine
import Foundation

/// Listens where `NSM_URL` points, and talks to the first client that announces itself.
package final class SessionManager {
  private let socket: OSCServer
  /// The client's place; nil until it has announced itself.
  package private(set) var client: OSCPeer?
  /// Everything that the client has said.
  package private(set) var heard: [OSCMessage] = []

  package init() throws { socket = try OSCServer(port: 0) }

  /// What clients find in their environment.
  package var environment: [String: String] {
    ["NSM_URL": "osc.udp://127.0.0.1:\(socket.port)/"]
  }

  /// Takes what comes until something fits; nil after `seconds`.
  package func wait(seconds: Double = 20, for isWanted: (OSCMessage) -> Bool) -> OSCMessage? {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      for incoming in socket.receive() {
        if incoming.messages.first?.path == "/nsm/server/announce" { client = incoming.sender }
        heard += incoming.messages
        if let found = incoming.messages.first(where: isWanted) { return found }
      }
      usleep(5_000)
    }
    return nil
  }

  /// Sends something to the client, as the manager.
  package func send(_ path: String, _ arguments: [OSCValue] = []) {
    if let client { socket.send(OSCMessage(path, arguments), to: client) }
  }

  /// Answers the announcement: the client is welcome.
  package func welcome() {
    send(
      "/reply",
      [
        .string("/nsm/server/announce"), .string("Welcome."), .string("Test manager"),
        .string(":server-control:broadcast:"),
      ])
  }

  /// Sends one of the requests that a client has to answer.
  /// - Returns: its `/reply` or `/error` for that request; nil when none came.
  package func ask(_ path: String, _ arguments: [OSCValue] = []) -> OSCMessage? {
    send(path, arguments)
    return wait { message in
      ["/reply", "/error"].contains(message.path) && message.arguments.first?.text == path
    }
  }
}
