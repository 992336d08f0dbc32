// Obeys Open Sound Control: finds the address in the table, checks the arguments, keeps the values,
// tells subscribers, answers senders. What a value or an action means is the host's business.
//
// Runs on the control thread alone; knows no network and no model.

import Foundation
package import Logging
import Reporting

/// What stands behind the addresses.
package protocol ControlHost: AnyObject {
  /// A value changed (it is checked and stored already).
  /// - Parameters:
  ///   - address: the concrete address.
  ///   - slot: 1 … 8 for addresses of slots.
  ///   - received: when the message came, in seconds since 1970.
  func changed(address: String, slot: Int?, value: OSCValue, received: Double) throws
  /// All messages of one packet have been handed over: they take effect together.
  func commit()
  /// The present value of a reading.
  func reading(_ address: String, slot: Int?) -> [OSCValue]
  /// Does an action; what it returns goes into `/reply`, line by line.
  func perform(_ address: String, _ arguments: [OSCValue]) throws -> [[OSCValue]]
  /// The slot that carries the trait of this id, for `/knob/ID/…`.
  func slot(ofTrait id: String) -> Int?
  /// A message for someone else on this socket (New Session Manager); true when it was taken.
  func intercept(_ message: OSCMessage, from sender: OSCPeer) -> Bool
}

/// Somebody who asked for something whose answer takes a while.
package struct WaitingAsker: Sendable, Equatable {
  fileprivate let sender: OSCPeer
  fileprivate let path: String
}

/// The control surface.
package final class ControlServer {
  package let socket: OSCServer
  package private(set) var parameters = ParameterStore()
  package private(set) var subscriptions = Subscriptions()
  package private(set) var lateCount: Int32 = 0
  package weak var host: (any ControlHost)?
  private var schedule = OSCSchedule()
  private var isDumping = false
  /// Whose action the host is performing now, until it is answered.
  private var asker: WaitingAsker?
  private let log: Logger

  package init(socket: OSCServer, log: Logger) {
    self.socket = socket
    self.log = log
  }

  /// Seconds until something scheduled is due, or nil.
  package func secondsToNext(now: Double) -> Double? {
    schedule.next.map { max(0, $0 - now) }
  }

  /// Takes all packets that wait, and what is due; `now` in seconds since 1970.
  package func service(now: Double) {
    for batch in schedule.due(at: now) { apply(batch.messages, from: batch.sender, received: now) }
    for incoming in socket.receive() { take(incoming, now: now) }
    subscriptions.expire(at: now)
  }

  /// Handles one packet.
  package func take(_ incoming: OSCIncoming, now: Double) {
    if incoming.timeTag != OSCTime.immediately {
      let time = OSCTime.seconds(tag: incoming.timeTag)
      if time > now {
        do {
          try schedule.add(
            OSCBatch(messages: incoming.messages, sender: incoming.sender, time: time), now: now)
        } catch {
          answer(error, to: incoming.sender, path: incoming.messages.first?.path ?? "#bundle")
        }
        return
      }
      lateCount &+= 1
    }
    apply(incoming.messages, from: incoming.sender, received: now)
  }

  private func apply(_ messages: [OSCMessage], from sender: OSCPeer, received: Double) {
    for message in messages {
      if isDumping {
        log.info("\(sender.host):\(sender.port) \(printable(message.description))")
      }
      handle(message, from: sender, received: received)
    }
    host?.commit()
  }

  /// Sends an event or a changed value to everyone who subscribed to it.
  package func announce(_ message: OSCMessage, except: OSCPeer? = nil) {
    for peer in subscriptions.listeners(of: message.path, except: except) {
      socket.send(message, to: peer)
    }
  }

  /// Sets a value from inside (MIDI, a state that is loaded), with the echo to all subscribers.
  package func set(_ address: String, _ value: OSCValue, received: Double) throws {
    _ = try store(address, value, sender: nil, received: received)
  }

  /// Gives a value another initial setting than the table's, and sets it; the host knows.
  func begin(_ address: String, with value: OSCValue) throws {
    try parameters.begin(address, with: value)
  }

  /// Sets a value whose meaning the host has taken in already; subscribers are told.
  package func setQuietly(_ address: String, _ value: OSCValue) throws {
    let setting = try parameters.set(address, value)
    announce(OSCMessage(address, [setting.value]))
  }

  /// Called by a host inside `perform`: nothing is answered now, `answer(_:with:)` does it later.
  /// - Returns: who waits; nil when nobody asked over OSC.
  package func answerLater() -> WaitingAsker? {
    defer { asker = nil }
    return asker
  }

  /// Answers somebody who was left waiting: `/reply` with the values, or `/error`.
  package func answer(_ asker: WaitingAsker?, with result: Result<[OSCValue], any Error>) {
    guard let asker else { return }
    switch result {
    case .success(let values): reply(to: asker.sender, path: asker.path, values)
    case .failure(let error): answer(error, to: asker.sender, path: asker.path)
    }
  }

  /// The same with as many lines as there are, "ok" where there is none.
  package func answer(_ asker: WaitingAsker?, withLines result: Result<[[OSCValue]], any Error>) {
    guard let asker else { return }
    switch result {
    case .success(let lines): reply(to: asker.sender, path: asker.path, lines: lines)
    case .failure(let error): answer(error, to: asker.sender, path: asker.path)
    }
  }

  private func handle(_ message: OSCMessage, from sender: OSCPeer, received: Double) {
    // Answers of others are never answered: two daemons must not keep each other busy.
    if host?.intercept(message, from: sender) == true { return }
    guard message.path != "/error", message.path != "/reply", !isOurselves(sender.host, sender.port)
    else { return }
    do {
      let path = printable(message.path, limit: 256)
      guard path == message.path else { throw ControlError.unknownAddress(path) }
      for address in try resolve(path) {
        do {
          try dispatch(address, message.arguments, from: sender, received: received)
        } catch {
          answer(error, to: sender, path: address)
        }
      }
    } catch {
      answer(error, to: sender, path: printable(message.path, limit: 256))
    }
  }

  /// Whether a packet to that place would come back to us: what we tell subscribers we would take for orders,
  /// and tell again.
  private func isOurselves(_ host: String, _ port: UInt16) -> Bool {
    port == socket.port && (host.hasPrefix("127.") || host == socket.address)
  }

  /// The concrete addresses that a path means: itself, a trait's slot, or all that match a pattern.
  private func resolve(_ path: String) throws -> [String] {
    if AddressTable.byAddress[path] != nil { return [path] }
    if OSCPattern.isPattern(path) {
      guard let pattern = OSCPattern(path) else { throw ControlError.badPattern(path) }
      let found = AddressTable.addresses.filter(pattern.matches)
      guard !found.isEmpty else { throw ControlError.badPattern(path) }
      return found
    }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    if parts.count == 4, parts[1] == "knob", let slot = host?.slot(ofTrait: String(parts[2])) {
      let address = "/knob/\(slot)/\(parts[3])"
      if AddressTable.byAddress[address] != nil { return [address] }
    }
    throw ControlError.unknownAddress(path)
  }

  private func dispatch(
    _ address: String, _ arguments: [OSCValue], from sender: OSCPeer, received: Double
  ) throws {
    guard let (row, slot) = AddressTable.byAddress[address] else {
      throw ControlError.unknownAddress(address)
    }
    switch row.role {
    case .value:
      guard let argument = arguments.first else {
        reply(to: sender, path: address, parameters[address].map { [$0] } ?? [])
        return
      }
      guard arguments.count == 1 else {
        throw ControlError.wrongCount(
          address: address, given: arguments.count, wanted: row.signature)
      }
      let setting = try store(address, argument, sender: sender, received: received)
      if setting.wasClamped {
        socket.send(
          OSCMessage(address, [setting.value]), to: subscriptions.replyTarget(of: sender))
      }
    case .reading:
      guard arguments.isEmpty else { throw ControlError.readOnly(address) }
      if address == "/late" {
        reply(to: sender, path: address, [.int(lateCount)])
      } else {
        reply(to: sender, path: address, host?.reading(address, slot: slot) ?? [])
      }
    case .action:
      let checked = try ParameterStore.check(arguments, of: row)
      if try !performHere(address, checked, sender: sender) {
        asker = WaitingAsker(sender: sender, path: address)
        defer { asker = nil }
        let lines = try host?.perform(address, checked) ?? []
        if asker != nil { reply(to: sender, path: address, lines: lines) }
      }
    case .event:
      throw ControlError.eventOnly(address)
    }
  }

  private func store(
    _ address: String, _ argument: OSCValue, sender: OSCPeer?, received: Double
  ) throws -> Setting {
    let before = parameters.kept(at: address)
    let setting = try parameters.set(address, argument)
    let slot = AddressTable.byAddress[address]?.slot
    do {
      try host?.changed(address: address, slot: slot, value: setting.value, received: received)
    } catch {
      parameters.putBack(before)
      throw error
    }
    announce(OSCMessage(address, [setting.value]), except: sender)
    if let twin = Self.twin(of: address), let value = parameters[twin] {
      announce(OSCMessage(twin, [value]))
    }
    return setting
  }

  /// The other face of a knob's strength.
  private static func twin(of address: String) -> String? {
    guard address.hasPrefix("/knob/") else { return nil }
    if address.hasSuffix("/strength") { return address.replacing("/strength", with: "/norm") }
    if address.hasSuffix("/norm") { return address.replacing("/norm", with: "/strength") }
    return nil
  }

  /// The actions that are about the control surface itself; false for all others.
  private func performHere(_ address: String, _ arguments: [OSCValue], sender: OSCPeer) throws
    -> Bool
  {
    switch address {
    case "/ping":
      reply(to: sender, path: address, [])
    case "/sync":
      host?.commit()
      socket.send(OSCMessage("/synced", arguments), to: subscriptions.replyTarget(of: sender))
    case "/tree":
      let under = arguments.first?.text ?? "/"
      let rows = AddressTable.rows.filter { $0.pattern.hasPrefix(under) }
      for row in rows {
        reply(
          to: sender, path: address,
          [
            .string(row.pattern), .string(row.role.rawValue),
            .string(row.role == .value || row.role == .action ? row.signature : row.carries),
            .string(row.arguments.map(\.kind.rangeText).joined(separator: ", ")),
            .string(row.unit), .string(row.sentence),
          ])
      }
      reply(to: sender, path: address, [.int(Int32(rows.count))])
    case "/dump":
      isDumping = arguments.first?.number == 1
      reply(to: sender, path: address, [.string("ok")])
    case "/subscribe":
      let pattern = arguments.first?.text ?? "/*"
      let seconds = arguments.count > 1 ? arguments[1].number ?? 30 : 30
      let port = arguments.count > 2 ? arguments[2].number.map { UInt16($0) } : nil
      if let port, isOurselves(sender.host, port) {
        throw ControlError.notAllowed(what: "a subscription for the daemon's own port")
      }
      try subscriptions.subscribe(
        sender, pattern: pattern.isEmpty ? "/*" : pattern, until: OSCTime.now() + seconds,
        replyPort: port)
      reply(to: sender, path: address, [.string("ok")])
    case "/unsubscribe":
      reply(to: sender, path: address, [.string("ok")])
      subscriptions.unsubscribe(sender)
    default:
      return false
    }
    return true
  }

  private func reply(to sender: OSCPeer, path: String, lines: [[OSCValue]]) {
    for line in lines.isEmpty ? [[.string("ok")]] : lines {
      reply(to: sender, path: path, line)
    }
  }

  private func reply(to sender: OSCPeer, path: String, _ values: [OSCValue]) {
    socket.send(
      OSCMessage("/reply", [.string(path)] + values), to: subscriptions.replyTarget(of: sender))
  }

  private func answer(_ error: any Error, to sender: OSCPeer, path: String) {
    let code = (error as? ControlError)?.code ?? -1
    socket.send(
      OSCMessage("/error", [.string(path), .int(code), .string(explanation(of: error))]),
      to: subscriptions.replyTarget(of: sender))
  }
}
