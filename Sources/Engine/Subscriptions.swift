// Who wants to hear what, until when, and at which port. Pure bookkeeping, no sockets.

/// A place to send to: a numeric address and a port.
package struct OSCPeer: Hashable, Sendable {
  package let host: String
  package let port: UInt16

  package init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }
}

/// Leases on patterns.
package struct Subscriptions: Sendable {
  /// More than this many are refused: the oldest go.
  package static let limit = 256

  private struct Lease {
    let sender: OSCPeer
    let target: OSCPeer
    let patternText: String
    let pattern: OSCPattern
    var until: Double
  }

  private var leases: [Lease] = []
  /// Where answers to a sender go, when it named another port.
  private var replyTargets: [OSCPeer: OSCPeer] = [:]

  package init() {}

  /// How many leases run.
  package var count: Int { leases.count }

  /// Adds or renews a lease.
  /// - Parameters:
  ///   - pattern: what to send; covers everything under it.
  ///   - until: end of the lease, in the caller's seconds.
  ///   - replyPort: another port of the same host to send to.
  package mutating func subscribe(
    _ sender: OSCPeer, pattern: String, until: Double, replyPort: UInt16?
  ) throws {
    guard let parsed = OSCPattern(pattern) else { throw ControlError.badPattern(pattern) }
    let target = replyPort.map { OSCPeer(host: sender.host, port: $0) } ?? sender
    leases.removeAll { $0.sender == sender && $0.patternText == pattern }
    if leases.count >= Self.limit { leases.removeFirst() }
    leases.append(
      Lease(
        sender: sender, target: target, patternText: pattern, pattern: parsed, until: until))
    if let replyPort {
      if replyTargets.count >= Self.limit { replyTargets.removeAll() }
      replyTargets[sender] = OSCPeer(host: sender.host, port: replyPort)
    }
  }

  /// Ends all leases of `sender`.
  package mutating func unsubscribe(_ sender: OSCPeer) {
    leases.removeAll { $0.sender == sender }
    replyTargets[sender] = nil
  }

  /// Ends the leases whose time is over.
  package mutating func expire(at now: Double) {
    leases.removeAll { $0.until <= now }
  }

  /// Where an answer to `sender` goes.
  package func replyTarget(of sender: OSCPeer) -> OSCPeer { replyTargets[sender] ?? sender }

  /// Everyone who wants to hear `address`, without `except` (who set it), each once.
  package func listeners(of address: String, except: OSCPeer?) -> [OSCPeer] {
    var result: [OSCPeer] = []
    for lease in leases where lease.sender != except && lease.pattern.covers(address) {
      if !result.contains(lease.target) { result.append(lease.target) }
    }
    return result
  }
}
