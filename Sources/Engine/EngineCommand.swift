// What the control thread and the generation thread say to each other. Plain values, but for what needs
// memory: that is prepared by the loader and handed over whole (`EngineDelivery`).

import Foundation
package import Models

/// From control to generation.
package enum EngineCommand: Sendable, BitwiseCopyable {
  case music(MusicControl)
  /// Everything since the last commit takes effect together.
  case commit
  case listen
  /// Continue from the last `seconds` heard.
  case play(seconds: Double)
  case restart(seed: Int)
  case stop
  case lookahead(Double)
  case guardLoudness(Bool)
  case unstick(Bool)
  case automatic(Bool)
  /// Start and stop with JACK's transport.
  case follow(TransportFollowing)
  /// Only for tests: the thread sleeps so long, as if the machine had stalled.
  case stall(seconds: Double)
}

/// What needs memory: made elsewhere, taken over between two steps.
package enum EngineDelivery: Sendable {
  case instrument(Instrument, name: String)
  case direction(SteeringDirection?, source: DirectionSource, slot: Int, received: Double)
  /// A prompt that takes the place of what was heard; empty takes it away.
  case prompt(codes: [Int32], sound: [Float])
  /// What the music should be like, as the network reads it and in words; nil for nothing.
  case text(TextContext?, words: String)
  /// Ask for everything that a take needs.
  case keep(name: String)
}

/// Deliveries, in order. The taker never waits: when the sender holds the lock it comes back later.
package final class Mailbox<Item: Sendable>: @unchecked Sendable {
  private let lock = NSLock()
  private var items: [Item] = []

  package init() {}

  /// Adds an item.
  package func post(_ item: Item) {
    lock.lock()
    items.append(item)
    lock.unlock()
  }

  /// All items, or none while somebody is posting.
  package func take() -> [Item] {
    guard lock.try() else { return [] }
    defer { lock.unlock() }
    guard !items.isEmpty else { return [] }
    defer { items = [] }
    return items
  }
}

/// What JACK's transport decides.
package enum TransportFollowing: String, Sendable, BitwiseCopyable {
  case off, roll, bar
}

/// What the engine does.
package enum TransportState: Int, Sendable, BitwiseCopyable {
  case listening, preparing, playing, stopped

  package var name: String {
    switch self {
    case .listening: "listening"
    case .preparing: "preparing"
    case .playing: "playing"
    case .stopped: "stopped"
    }
  }
}

/// Things that are said once.
package enum EngineNotice: Int, Sendable, BitwiseCopyable {
  case overloaded, recovered, stuck, nothingHeard

  package var text: String {
    switch self {
    case .overloaded: "the machine is too slow for the music: dropping sound, keeping less ready"
    case .recovered: "the machine keeps up again"
    case .stuck: "the music stood still; changed the seed"
    case .nothingHeard: "nothing was played: making music from silence"
    }
  }
}

/// From generation to control.
package enum EngineReport: Sendable, BitwiseCopyable {
  case state(TransportState)
  /// The generated sound begins at this engine frame, `seconds` after the trigger.
  case joined(frame: Int, seconds: Double)
  case meter(slot: Int, reading: Float, threshold: Float, gain: Float)
  /// The change of slot 1 … 8 (0: another setting) asked for at `received` is heard from `frame` on.
  case applied(slot: Int, step: Int, frame: Int, received: Double)
  case notice(EngineNotice)
}

/// Everything that a take is written from.
package struct TakeMaterial: Sendable {
  /// Empty: the writer finds one.
  package var name: String
  /// Whether nobody asked: the music ended, or began anew.
  package var isAutomatic = false
  /// (frames, K), the prompt's first.
  package var codes: [Int32]
  package var promptFrames: Int
  /// The prompt's sound at the model's rate; empty when there was none.
  package var promptSound: [Float]
  package var score: [ScoreEntry]
  package var loudness: Double?
  package var plan: WindowPlan
  /// What the music was told to be like; empty for nothing.
  package var words = ""
}
