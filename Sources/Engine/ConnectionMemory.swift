// Which ports were connected to ours, so that they can be connected again when a server or a
// neighbour returns. Pure bookkeeping; the JACK calls are `AudioPort`'s.

/// One connection: a port of ours, by short name, and the other end by its full name.
package struct Connection: Hashable, Sendable {
  package let own: String
  package let other: String

  package init(own: String, other: String) {
    self.own = own
    self.other = other
  }
}

/// Remembers connections by name and says which are to be made.
///
/// A connection that disappears while the other port is still there was taken apart by a person and is
/// forgotten; one whose other port has gone is waited for.
package struct ConnectionMemory: Sendable {
  private var wanted: Set<Connection> = []
  /// Connections seen alive since the other end last appeared.
  private var alive: Set<Connection> = []

  package init() {}

  /// Adds connections to make.
  package mutating func want(_ connections: [Connection]) { wanted.formUnion(connections) }

  /// The server is a new one: nothing is connected, nothing was taken apart.
  package mutating func serverReturned() { alive = [] }

  /// All connections that are remembered.
  package var remembered: Set<Connection> { wanted }

  /// Takes in what is connected now, and returns what to connect.
  ///
  /// - Parameters:
  ///   - actual: connections of this moment.
  ///   - exists: whether a port of that full name is there.
  package mutating func update(
    actual: Set<Connection>, exists: (String) -> Bool
  ) -> [Connection] {
    var missing: [Connection] = []
    for connection in wanted.subtracting(actual) {
      if !exists(connection.other) {
        alive.remove(connection)
      } else if alive.contains(connection) {
        alive.remove(connection)
        wanted.remove(connection)
      } else {
        missing.append(connection)
      }
    }
    wanted.formUnion(actual)
    alive.formUnion(actual)
    return missing.sorted { ($0.own, $0.other) < ($1.own, $1.other) }
  }
}
