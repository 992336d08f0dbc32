// Everything that the audio callback shares with the rest: rings, atomics, and nothing else.
//
// Threading: `input`, `output`, the two MIDI rings and the atomics are written by the sides that their
// comments name. `CallbackState` belongs to the callback alone while a client is active, and to the
// thread that opens and closes the client otherwise.

internal import CJACK
package import Synchronization

/// What the callback remembers from one period to the next. Only plain values.
@unsafe struct CallbackState {
  var client: OpaquePointer?
  var input: OpaquePointer?
  var left: OpaquePointer?
  var right: OpaquePointer?
  var midiIn: OpaquePointer?
  var midiOut: OpaquePointer?
  /// Server time of the last period, and its length.
  var lastStamp: UInt32 = 0
  var lastCount = 0
  var hasStamp = false
  /// Engine frame at which the current period begins.
  var head = 0
  /// Share of the generated sound, 0 … 1, and the level of the outputs; both move slowly.
  var mix: Float = 0
  var gain: Float = 0
  var dry: Float = 0
  /// The last samples that came from the ring: what an underrun fades away from.
  var heldLeft: Float = 0
  var heldRight: Float = 0
  /// Level of the ring's sound after an underrun, 0 … 1.
  var recovery: Float = 1
}

/// The place where the audio thread and the others meet.
///
/// Safe because the only raw memory is the callback's own state, allocated here for the life of this
/// object and reached from one thread at a time (see above).
@safe package final class AudioExchange: @unchecked Sendable {
  /// Largest period that JACK may ask for, in frames.
  package static let largestPeriod = 8192
  /// No frame is ever this late.
  package static let never = Int.max

  package let input: InputRing
  package let output: OutputRing
  package let midiIn = MessageRing(capacity: 1024)
  package let midiOut = MessageRing(capacity: 1024)

  /// Engine frame at which the newest period began; written by the callback.
  package let head = Atomic<Int>(0)
  /// Monotonic nanoseconds at that moment; written by the callback.
  package let headTime = Atomic<Int>(0)
  /// Server frame time minus engine frame; written by the callback.
  package let serverOffset = Atomic<Int>(0)
  /// Periods so far; written by the callback. A number that stands still is a dead server.
  package let periods = Atomic<Int>(0)
  /// Length of the newest period in frames; written by the callback.
  package let period = Atomic<Int>(0)
  /// Frames per second; written by the rate callback and by `AudioPort`.
  package let sampleRate = Atomic<Int>(48000)
  /// The server's own dropouts; written by the xrun callback.
  package let xruns = Atomic<Int>(0)
  /// Frames that were due and not ready; written by the callback.
  package let underrunFrames = Atomic<Int>(0)
  /// Times that sound was due and not ready; written by the callback.
  package let underruns = Atomic<Int>(0)
  /// Longest and total nanoseconds inside the callback; written by the callback.
  package let longestCallback = Atomic<Int>(0)
  package let callbackTime = Atomic<Int>(0)
  /// 1 while the server runs faster than time; written by the freewheel callback.
  package let freewheel = Atomic<Int>(0)
  /// 1 while music has been asked for and has not begun: a server that freewheels waits for it. Written by the
  /// generation thread.
  package let awaited = Atomic<Int>(0)
  /// 1 while the generation thread looks at the play head of a server that freewheels; written by it.
  package let held = Atomic<Int>(0)
  /// 1 while the callback waits, so while the play head stands still; written by the callback.
  package let waits = Atomic<Int>(0)
  /// 1 while JACK's transport rolls; written by the callback.
  package let rolling = Atomic<Int>(0)
  /// Engine frame of the next bar line, and frames between two; both 0 when nobody tells bars; written by the
  /// callback.
  package let barFrame = Atomic<Int>(0)
  package let barLength = Atomic<Int>(0)
  /// 1 when the server has gone; written by the shutdown callbacks.
  package let gone = Atomic<Int>(0)
  /// Capture latency of `in_1` and playback latency of `out_1` in frames; written by `AudioPort`.
  package let captureLatency = Atomic<Int>(0)
  package let playbackLatency = Atomic<Int>(0)

  /// Engine frames between which the generated sound is heard; written by the generation thread.
  package let joinFrame = Atomic<Int>(AudioExchange.never)
  package let leaveFrame = Atomic<Int>(AudioExchange.never)
  /// Length of the cross-fade between live and generated sound, in frames; at least 1.
  package let fadeFrames = Atomic<Int>(1440)
  private let gainBits = Atomic<UInt32>(Float(1).bitPattern)
  private let dryBits = Atomic<UInt32>(Float(1).bitPattern)

  let callback: UnsafeMutablePointer<CallbackState>

  /// - Parameter seconds: sound that each ring holds at 192 kHz.
  package init(seconds: Int = 6) {
    input = InputRing(capacity: seconds * 192000)
    output = OutputRing(capacity: seconds * 192000)
    unsafe callback = .allocate(capacity: 1)
    unsafe callback.initialize(to: CallbackState())
  }

  deinit { unsafe callback.deallocate() }

  /// Level of the outputs, linear, 0 … 2; written by the control thread.
  package var gain: Float {
    get { Float(bitPattern: gainBits.load(ordering: .relaxed)) }
    set { gainBits.store(newValue.bitPattern, ordering: .relaxed) }
  }

  /// Level of the live input in the outputs while nothing is generated; written by the control thread.
  package var dry: Float {
    get { Float(bitPattern: dryBits.load(ordering: .relaxed)) }
    set { dryBits.store(newValue.bitPattern, ordering: .relaxed) }
  }

  @_noLocks func targetGain() -> Float { Float(bitPattern: gainBits.load(ordering: .relaxed)) }
  @_noLocks func targetDry() -> Float { Float(bitPattern: dryBits.load(ordering: .relaxed)) }
}
