import Foundation
import Logging
import Testing

@testable import Engine

/// A host that only writes down what it is told.
private final class Notebook: ControlHost {
  var changes: [String] = []
  var commits = 0
  var refuse = false

  func changed(address: String, slot: Int?, value: OSCValue, received: Double) throws {
    if refuse { throw ControlError.notNow(what: "change", why: "the test says so") }
    changes.append("\(address) \(value)")
  }
  func commit() { commits += 1 }
  func reading(_ address: String, slot: Int?) -> [OSCValue] { [.string("read \(address)")] }
  var later: (() -> WaitingAsker?)?
  var asker: WaitingAsker?
  func perform(_ address: String, _ arguments: [OSCValue]) throws -> [[OSCValue]] {
    changes.append("\(address) \(arguments)")
    if let later { asker = later() }
    return []
  }
  func slot(ofTrait id: String) -> Int? { id == "drums" ? 3 : nil }
  func intercept(_ message: OSCMessage, from sender: OSCPeer) -> Bool { false }
}

/// A server and a client on real sockets.
private final class Desk {
  let server: ControlServer
  let host = Notebook()
  let client: OSCServer
  let here: OSCPeer

  init() throws {
    server = ControlServer(
      socket: try OSCServer(port: 0), log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    server.host = host
    client = try OSCServer(port: 0)
    here = OSCPeer(host: "127.0.0.1", port: server.socket.port)
  }

  func send(_ path: String, _ arguments: [OSCValue] = []) {
    client.send(OSCMessage(path, arguments), to: here)
  }

  /// Lets the server work and returns what the client then hears.
  func answers(now: Double = OSCTime.now()) -> [OSCMessage] {
    server.service(now: now)
    return client.receive().flatMap(\.messages)
  }

  func ask(_ path: String, _ arguments: [OSCValue] = []) -> [OSCMessage] {
    send(path, arguments)
    return answers()
  }

  /// Sends bytes as they are.
  func send(raw: Data) {
    let descriptor = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(descriptor) }
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_port = here.port.bigEndian
    _ = unsafe inet_pton(AF_INET, here.host, &place.sin_addr)
    _ = unsafe raw.withUnsafeBytes { bytes in
      unsafe withUnsafePointer(to: &place) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe sendto(
            descriptor, bytes.baseAddress, bytes.count, 0, $0,
            socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
  }
}

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct ControlServerTests {
  @Test func aValueIsSetAndToldWhenAsked() throws {
    let desk = try Desk()
    #expect(desk.ask("/knob/1/strength", [.float(0.5)]).isEmpty)
    #expect(desk.host.changes == ["/knob/1/strength 0.5"])
    #expect(desk.host.commits == 1)
    #expect(
      desk.ask("/knob/1/strength") == [
        OSCMessage("/reply", [.string("/knob/1/strength"), .float(0.5)])
      ])
  }

  @Test func aTraitsIdIsAnAddressToo() throws {
    let desk = try Desk()
    _ = desk.ask("/knob/drums/strength", [.float(1)])
    #expect(desk.host.changes == ["/knob/3/strength 1.0"])
    #expect(desk.ask("/knob/flute/strength", [.float(1)]).first?.path == "/error")
  }

  @Test func patternsReachAllTheirAddresses() throws {
    let desk = try Desk()
    _ = desk.ask("/knob/[2-4]/mute", [.int(1)])
    #expect(
      desk.host.changes == ["/knob/2/mute 1", "/knob/3/mute 1", "/knob/4/mute 1"])
  }

  @Test func clampedValuesGoBackToTheSender() throws {
    let desk = try Desk()
    #expect(
      desk.ask("/knob/1/strength", [.float(7)]) == [OSCMessage("/knob/1/strength", [.float(2)])])
  }

  @Test(arguments: [
    ("/nothing", []), ("/knob/1/strength", [OSCValue.float(.nan)]),
    ("/knob/1/strength", [.float(.infinity)]), ("/knob/1/strength", [.string("loud")]),
    ("/knob/1/strength", [.float(1), .float(2)]), ("/knob/1/meter", [.float(1)]),
    ("/version", [.int(1)]), ("/prompt/load", []), ("/knob/1/strength", [.blob([1])]),
  ])
  func mistakesAreAnsweredAndChangeNothing(path: String, arguments: [OSCValue]) throws {
    let desk = try Desk()
    let answers = desk.ask(path, arguments)
    #expect(answers.count == 1)
    #expect(answers.first?.path == "/error")
    #expect(answers.first?.arguments.first == .string(path))
    #expect(answers.first?.types == "sis")
    #expect(desk.host.changes.isEmpty)
  }

  @Test func whatTheHostRefusesKeepsItsOldValue() throws {
    let desk = try Desk()
    desk.host.refuse = true
    let answer = desk.ask("/engine/gain", [.float(0.5)]).first
    #expect(answer?.path == "/error")
    #expect(answer?.arguments.dropFirst().first == .int(-8))
    #expect(desk.server.parameters["/engine/gain"] == .float(1))
  }

  @Test func subscribersHearChangesOfOthersAndBothFacesOfAKnob() throws {
    let desk = try Desk()
    _ = desk.ask("/subscribe", [.string("/knob/*"), .int(5)])
    let other = try OSCServer(port: 0)
    other.send(OSCMessage("/knob/1/strength", [.float(1)]), to: desk.here)
    #expect(
      desk.answers() == [
        OSCMessage("/knob/1/strength", [.float(1)]), OSCMessage("/knob/1/norm", [.float(0.75)]),
      ])
    #expect(
      desk.ask("/knob/1/strength", [.float(0)]) == [OSCMessage("/knob/1/norm", [.float(0.5)])])
  }

  @Test func answersGoToThePortThatASubscriberNamed() throws {
    let desk = try Desk()
    let ear = try OSCServer(port: 0)
    desk.send("/subscribe", [.string("/*"), .int(5), .int(Int32(ear.port))])
    #expect(desk.answers().isEmpty)
    #expect(
      ear.receive().flatMap(\.messages) == [
        OSCMessage("/reply", [.string("/subscribe"), .string("ok")])
      ])
  }

  @Test func syncAndTreeAnswer() throws {
    let desk = try Desk()
    #expect(desk.ask("/sync", [.int(42)]) == [OSCMessage("/synced", [.int(42)])])
    let rows = desk.ask("/tree", [.string("/sampling")])
    #expect(rows.count == 7)
    #expect(rows.last == OSCMessage("/reply", [.string("/tree"), .int(6)]))
  }

  @Test func bundlesAreAppliedAtTheirTimeAndTogether() throws {
    let desk = try Desk()
    let now = OSCTime.now()
    var bundle = Data("#bundle\0".utf8)
    unsafe withUnsafeBytes(of: OSCTime.tag(seconds: now + 100).bigEndian) {
      unsafe bundle.append(contentsOf: $0)
    }
    for path in ["/knob/1/strength", "/knob/2/strength"] {
      let packet = try #require(OSCMessage(path, [.float(1)]).packet)
      unsafe withUnsafeBytes(of: UInt32(packet.count).bigEndian) {
        unsafe bundle.append(contentsOf: $0)
      }
      bundle.append(packet)
    }
    desk.send(raw: bundle)
    desk.server.service(now: now)
    #expect(desk.host.changes.isEmpty)
    #expect(abs((desk.server.secondsToNext(now: now) ?? 0) - 100) < 1)
    desk.server.service(now: now + 101)
    #expect(desk.host.changes == ["/knob/1/strength 1.0", "/knob/2/strength 1.0"])
    #expect(desk.host.commits == 1)
    #expect(desk.server.lateCount == 0)
    desk.send(raw: bundle)
    desk.server.service(now: now + 200)
    #expect(desk.server.lateCount == 1)
    #expect(desk.host.changes.count == 4)
  }

  @Test func anAnswerMayComeLater() throws {
    let desk = try Desk()
    #expect(desk.server.answerLater() == nil, "nobody asked")
    desk.host.later = { desk.server.answerLater() }
    #expect(desk.ask("/knobs/zero") == [])
    let first = desk.host.asker
    #expect(first != nil)
    desk.server.answer(first, with: .success([.string("17")]))
    #expect(desk.answers() == [OSCMessage("/reply", [.string("/knobs/zero"), .string("17")])])
    desk.server.answer(first, with: .failure(ControlError.noSuch(what: "take", name: "x")))
    #expect(desk.answers().first?.path == "/error")
    desk.server.answer(first, withLines: .success([[.int(1)], [.int(2)]]))
    #expect(desk.answers().map(\.arguments.last) == [.int(1), .int(2)])
    desk.server.answer(first, withLines: .success([]))
    #expect(desk.answers().map(\.arguments.last) == [.string("ok")])
    desk.host.later = nil
    #expect(
      desk.ask("/knobs/zero") == [OSCMessage("/reply", [.string("/knobs/zero"), .string("ok")])])
  }

  @Test func packetsThatKillOtherServersAreSurvived() throws {
    let desk = try Desk()
    for packet in [
      "/n_set\0\0,iii\0\0\0\0", "/Penabled\0\0\0,\0\0\0", "", "#bundle", "#bundle\0", "/", ",",
    ] {
      desk.send(raw: Data(packet.utf8))
    }
    _ = desk.answers()
    #expect(desk.ask("/ping") == [OSCMessage("/reply", [.string("/ping")])])
  }

  @Test func mutatedAndRandomPacketsAreSurvived() throws {
    let desk = try Desk()
    let rounds = ProcessInfo.processInfo.environment["CONTINUO_SOAK"] == nil ? 3000 : 1_000_000
    var generator = SystemRandomNumberGenerator()
    let seeds = AddressTable.rows.compactMap {
      OSCMessage($0.pattern, [.float(0.5), .string("abc"), .int(3), .blob([1, 2, 3])]).packet
    }
    var asked = 0
    for round in 0..<rounds {
      var packet = seeds.randomElement(using: &generator) ?? Data()
      if round % 5 == 0 {
        packet = Data((0..<Int.random(in: 0...64)).map { _ in UInt8.random(in: 0...255) })
      } else if round % 7 == 0 {
        packet =
          Data("#bundle\0".utf8) + Data((0..<12).map { _ in UInt8.random(in: 0...2) }) + packet
      }
      for _ in 0..<Int.random(in: 0...4) where !packet.isEmpty {
        packet[Int.random(in: 0..<packet.count)] = UInt8.random(in: 0...255)
      }
      if round % 3 == 0, !packet.isEmpty {
        packet = packet.prefix(Int.random(in: 0..<packet.count))
      }
      desk.send(raw: packet)
      if round % 50 == 49 {
        _ = desk.answers()
        _ = desk.client.receive()
        if desk.ask("/ping").contains(OSCMessage("/reply", [.string("/ping")])) { asked += 1 }
      }
    }
    #expect(asked == rounds / 50)
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/oscsend")))
  func liblosOwnToolIsUnderstood() throws {
    let desk = try Desk()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/oscsend")
    process.arguments = ["127.0.0.1", "\(desk.here.port)", "/knob/5/strength", "f", "-1.5"]
    try process.run()
    process.waitUntilExit()
    _ = desk.answers()
    #expect(desk.host.changes == ["/knob/5/strength -1.5"])
  }

  @Test func nobodyCanMakeItTalkToItself() throws {
    let desk = try Desk()
    let own = Int32(desk.server.socket.port)
    let answer = desk.ask("/subscribe", [.string("/*"), .int(30), .int(own)])
    #expect(answer.map(\.path) == ["/error"] && desk.server.subscriptions.count == 0)
    // What comes from its own port is not obeyed.
    desk.server.take(
      OSCIncoming(
        messages: [OSCMessage("/knob/1/mute", [.int(1)])], sender: desk.here,
        timeTag: OSCTime.immediately), now: 0)
    #expect(desk.host.changes.isEmpty)
  }
}
