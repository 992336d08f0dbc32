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
  /// Only for tests: every step takes so much longer, as on a slower machine.
  case slow(seconds: Double)
}

extension EngineCommand {
  /// What it decides: of two that decide the same, only the newer counts.
  fileprivate var subject: Int {
    switch self {
    case .music(let control): Int(control.target.rawValue) * 16 + control.slot
    case .commit: -1
    case .listen, .play, .restart, .stop: -2
    case .lookahead: -3
    case .guardLoudness: -4
    case .unstick: -5
    case .automatic: -6
    case .follow: -7
    case .stall: -8
    case .slow: -9
    }
  }
}

/// Commands on their way into a queue that may be full: what does not fit waits here, the newest of every
/// kind, so that the engine ends up where the player left the controls however fast they came.
package struct CommandBacklog {
  private var waiting: [EngineCommand] = []

  package init() {}

  /// How many commands wait; at most one of every kind.
  package var count: Int { waiting.count }

  /// Sends `command`, or keeps it behind those that wait.
  package mutating func send(
    _ command: EngineCommand, to queue: borrowing ValueQueue<EngineCommand>
  ) {
    flush(to: queue)
    if waiting.isEmpty, queue.offer(command) { return }
    waiting.removeAll { $0.subject == command.subject }
    waiting.append(command)
  }

  /// Sends what waits, as far as it fits.
  package mutating func flush(to queue: borrowing ValueQueue<EngineCommand>) {
    guard !waiting.isEmpty else { return }
    let sent = waiting.prefix { queue.offer($0) }.count
    waiting.removeFirst(sent)
  }
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
  case keepsLessReady, skipsExtras, padsSilence, recovered, stuck, nothingHeard, broken

  package var text: String {
    switch self {
    case .keepsLessReady: "the machine is too slow for the music: keeping less of it ready"
    case .skipsExtras:
      "the machine is still too slow for the music: knobs at rest are not read, their meters stand still"
    case .padsSilence: "the machine is too slow for the music: there is silence where it is late"
    case .recovered: "the machine keeps up again"
    case .stuck: "the music stood still; changed the seed"
    case .broken:
      "the model's numbers were no numbers any more: knobs are at 0, the music goes on anew"
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
