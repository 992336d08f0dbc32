// Bundles whose time has not come. Pure bookkeeping; the clock is the caller's.

/// Messages of one bundle, to be applied together.
package struct OSCBatch: Sendable {
  package let messages: [OSCMessage]
  package let sender: OSCPeer
  /// When, in seconds since 1970; nil for at once.
  package let time: Double?

  package init(messages: [OSCMessage], sender: OSCPeer, time: Double?) {
    self.messages = messages
    self.sender = sender
    self.time = time
  }
}

/// What waits, in order of time; equal times in order of arrival.
package struct OSCSchedule: Sendable {
  /// Messages that may wait at most.
  package static let limit = 4096
  /// Seconds ahead that are accepted at most.
  package static let horizon = 3600.0

  private var batches: [OSCBatch] = []
  private var waiting = 0

  package init() {}

  /// How many messages wait.
  package var count: Int { waiting }

  /// When the next batch is due.
  package var next: Double? { batches.first?.time }

  /// Adds a batch with a time after `now`.
  /// - Throws: `ControlError` when it is too far ahead or too much waits already.
  package mutating func add(_ batch: OSCBatch, now: Double) throws {
    let time = batch.time ?? now
    guard time - now <= Self.horizon else {
      throw ControlError.tooFarAhead(seconds: time - now)
    }
    guard waiting + batch.messages.count <= Self.limit else {
      throw ControlError.tooMuchScheduled(limit: Self.limit)
    }
    waiting += batch.messages.count
    let place = batches.firstIndex { ($0.time ?? now) > time } ?? batches.count
    batches.insert(batch, at: place)
  }

  /// Removes and returns what is due at `now`.
  package mutating func due(at now: Double) -> [OSCBatch] {
    let split = batches.firstIndex { ($0.time ?? now) > now } ?? batches.count
    let result = Array(batches[..<split])
    batches.removeFirst(split)
    waiting -= result.reduce(0) { $0 + $1.messages.count }
    return result
  }
}
