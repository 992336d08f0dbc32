// What is told when it is heard: the meters of the step that sounds now, and changes that have become
// audible.
//
// Steps are made up to the look-ahead before they sound. What was read at a step, and the frame from
// which a change is heard, wait here until the play head is there. Belongs to the generation thread;
// nothing is allocated after `init`.

/// Reports that wait for the play head.
struct SoundingReports {
  /// What one slot's meter showed at one step: C, τ and g; nothing was read while C is NaN.
  struct Meter: BitwiseCopyable {
    var reading = Float.nan
    var threshold: Float = 0
    var gain: Float = 0
  }

  /// A change of slot 1 … 8 (0: another setting), asked for at `received`, that is heard from the engine
  /// frame `frame` on.
  private struct Change: BitwiseCopyable {
    var slot: Int
    var step: Int
    var frame: Int
    var received: Double
  }

  private var changes: [Change] = []
  private var readings: [InlineArray<8, Meter>]  // [step % memory][slot − 1]
  private var lastMeters: ContinuousClock.Instant

  /// Changes that may wait at a time; of more, the first ones are told.
  static let mostChanges = 256

  /// - Parameters:
  ///   - memory: steps whose meters are remembered.
  ///   - now: meters are told from 50 ms later on.
  init(memory: Int, now: ContinuousClock.Instant = .now) {
    readings = Array(repeating: InlineArray(repeating: Meter()), count: memory)
    lastMeters = now
    changes.reserveCapacity(Self.mostChanges)
  }

  /// Remembers the meters of a step that was just made; `meter` answers for the slots 0 … 7.
  mutating func remember(step: Int, meter: (Int) -> Meter?) {
    for slot in 0..<8 { readings[step % readings.count][slot] = meter(slot) ?? Meter() }
  }

  /// Tells what was read at a remembered step, unless meters were told less than 50 ms ago.
  mutating func tellMeters(
    ofStep step: Int, now: ContinuousClock.Instant = .now, to tell: (EngineReport) -> Void
  ) {
    guard now - lastMeters >= .milliseconds(50) else { return }
    lastMeters = now
    for slot in 1...8 {
      let meter = readings[step % readings.count][slot - 1]
      guard meter.reading.isFinite else { continue }
      tell(
        .meter(slot: slot, reading: meter.reading, threshold: meter.threshold, gain: meter.gain))
    }
  }

  /// Remembers when a change will be heard. Frames never fall from one change to the next.
  mutating func expect(slot: Int, step: Int, frame: Int, received: Double) {
    guard changes.count < Self.mostChanges else { return }
    changes.append(Change(slot: slot, step: step, frame: frame, received: received))
  }

  /// Tells the changes that are heard by now, the engine frames below `claimed` having been played.
  mutating func tellChanges(heardBy claimed: Int, to tell: (EngineReport) -> Void) {
    while let first = changes.first, first.frame <= claimed {
      tell(
        .applied(
          slot: first.slot, step: first.step, frame: first.frame, received: first.received))
      changes.removeFirst()
    }
  }

  /// Forgets changes that nobody will hear any more.
  mutating func forgetChanges() { changes.removeAll(keepingCapacity: true) }
}
