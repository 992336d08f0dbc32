import Foundation
import Testing

@testable import Engine

@Suite struct SessionClientTests {
  private final class Manager {
    var sent: [OSCMessage] = []
    var opened: [SessionClient.Session] = []
    var saves = 0
    var refuses = false
  }

  private let peer = OSCPeer(host: "127.0.0.1", port: 14000)

  private func client(_ manager: Manager) throws -> SessionClient {
    let client = try #require(
      SessionClient(url: "osc.udp://127.0.0.1:14000/") { message, _ in manager.sent.append(message)
      })
    client.open = {
      if manager.refuses { throw ControlError.noSuch(what: "x", name: "y") }
      manager.opened.append($0)
    }
    client.save = { _ in manager.saves += 1 }
    return client
  }

  private func openMessage(_ path: String) -> OSCMessage {
    OSCMessage("/nsm/client/open", [.string(path), .string("Show"), .string("Continuo.nABC")])
  }

  @Test func itAnnouncesOpensSavesAndSwitches() throws {
    let manager = Manager()
    let client = try client(manager)
    client.announce(executable: "continuod")
    #expect(manager.sent[0].path == "/nsm/server/announce")
    #expect(manager.sent[0].types == "sssiii")
    #expect(client.take(OSCMessage("/nsm/client/save"), from: peer))
    #expect(manager.sent.last?.arguments.dropFirst().first == .int(-6), "nothing is open yet")
    #expect(client.take(openMessage("/tmp/a"), from: peer))
    #expect(
      manager.sent.contains(OSCMessage("/reply", [.string("/nsm/client/open"), .string("OK")])))
    #expect(manager.sent.last == OSCMessage("/nsm/client/progress", [.float(1)]))
    #expect(manager.opened.last?.clientID == "Continuo.nABC")
    #expect(client.take(OSCMessage("/nsm/client/save"), from: peer))
    #expect(manager.saves == 1)
    #expect(client.take(openMessage("/tmp/b"), from: peer))
    #expect(client.session?.path == "/tmp/b")
  }

  @Test func whatIsToBeSavedIsToldOnce() throws {
    let manager = Manager()
    let client = try client(manager)
    client.tell(isDirty: true)
    client.tell(message: "too early")
    #expect(manager.sent.isEmpty, "no session is open")
    #expect(client.take(openMessage("/tmp/a"), from: peer))
    manager.sent = []
    client.tell(isDirty: true)
    client.tell(isDirty: true)
    #expect(manager.sent == [OSCMessage("/nsm/client/is_dirty")])
    #expect(client.take(OSCMessage("/nsm/client/save"), from: peer))
    #expect(manager.sent.contains(OSCMessage("/nsm/client/is_clean")))
    client.tell(message: "hello")
    #expect(manager.sent.last == OSCMessage("/nsm/client/message", [.int(1), .string("hello")]))
  }

  @Test func othersAreNotListenedTo() throws {
    let manager = Manager()
    let client = try client(manager)
    let stranger = OSCPeer(host: "127.0.0.1", port: 14001)
    #expect(!client.take(openMessage("/tmp/a"), from: stranger))
    #expect(manager.opened.isEmpty)
  }

  @Test func failuresAndNonsenseAreAnswered() throws {
    let manager = Manager()
    let client = try client(manager)
    manager.refuses = true
    #expect(client.take(openMessage("/tmp/a"), from: peer))
    #expect(manager.sent.contains { $0.path == "/error" } && client.session == nil)
    #expect(client.take(OSCMessage("/nsm/client/open", [.int(1)]), from: peer))
    #expect(manager.sent.last?.path == "/error")
    #expect(SessionClient(url: "http://x/") { _, _ in } == nil)
  }
}
