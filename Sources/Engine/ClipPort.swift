// A second JACK client: plays a clip into another client, once, and records what that one sends back.
//
// What `continuo play` stands on. Threading: the callback is the audio thread's (`clipProcess`, checked
// by the compiler like the daemon's own); everything else belongs to one other thread.

internal import CJACK
import Foundation
import Synchronization

/// What the clip's callback touches. Only plain values; the callback's own while the client is active.
@unsafe private struct ClipState {
  var output: OpaquePointer?
  var left: OpaquePointer?
  var right: OpaquePointer?
  var signal: UnsafeMutablePointer<Float>
  var count: Int
  var frame = 0
}

/// The process callback; `argument` is an unretained `ClipPort`.
@_noLocks private func clipProcess(_ frames: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32
{
  guard let argument = unsafe argument else { return 0 }
  unsafe Unmanaged<ClipPort>.fromOpaque(argument)._withUnsafeGuaranteedRef { clip in
    clip.period(Int(frames))
  }
  return 0
}

@_noLocks private func clipGone(_ argument: UnsafeMutableRawPointer?) {
  guard let argument = unsafe argument else { return }
  unsafe Unmanaged<ClipPort>.fromOpaque(argument)._withUnsafeGuaranteedRef { clip in
    clip.gone.store(1, ordering: .releasing)
  }
}

@_noLocks private func clipGoneBecause(
  _ status: jack_status_t, _ reason: UnsafePointer<CChar>?, _ argument: UnsafeMutableRawPointer?
) {
  unsafe clipGone(argument)
}

/// Ports `out`, `in_1` and `in_2`: a clip goes out once, two channels come in.
///
/// Safe because the state is allocated for the port's life, and only the callback touches it while the
/// client is active; the rings keep their own sides apart.
@safe package final class ClipPort: @unchecked Sendable {
  private let client: OpaquePointer
  private let state: UnsafeMutablePointer<ClipState>
  private var isOpen = true
  private let left: InputRing
  private let right: InputRing
  /// Frames played and recorded so far; written by the callback.
  private let done = Atomic<Int>(0)
  private let running = Atomic<Int>(0)
  private let firstStamp = Atomic<Int>(0)
  fileprivate let gone = Atomic<Int>(0)

  /// Frames per second of the server.
  package let rate: Int
  /// The client's name as the server gave it.
  package let name: String

  /// Opens the client; nothing sounds yet.
  /// - Throws: `AudioPortError`.
  package init(name: String = "continuo-play", server: String? = nil) throws {
    var status = jack_status_t(rawValue: 0)
    guard
      let opened = unsafe continuo_jack_client_open(name, JackNoStartServer, &status, server)
    else { throw AudioPortError.noServer(name: name, status: status.rawValue) }
    unsafe client = unsafe opened
    rate = Int(unsafe jack_get_sample_rate(opened))
    self.name = unsafe String(cString: jack_get_client_name(opened))
    left = InputRing(capacity: 8 * rate)
    right = InputRing(capacity: 8 * rate)
    unsafe state = .allocate(capacity: 1)
    unsafe state.initialize(to: ClipState(signal: .allocate(capacity: 1), count: 0))
  }

  /// Closes the client; what was recorded stays readable. Nothing else may be called afterwards but readers.
  package func close() {
    guard isOpen else { return }
    isOpen = false
    _ = unsafe jack_client_close(client)
  }

  deinit {
    close()
    unsafe state.pointee.signal.deallocate()
    unsafe state.deallocate()
  }

  /// Whether the server has said goodbye.
  package var isGone: Bool { gone.load(ordering: .acquiring) != 0 }

  /// The server's frame time of the clip's first frame, once it has begun.
  package var serverStart: Int { firstStamp.load(ordering: .acquiring) }

  /// Frames played and recorded so far.
  package var frames: Int { done.load(ordering: .acquiring) }

  /// Registers the ports and connects them with a client that has Continuo's port names; `begin` then
  /// starts the clip. Once only.
  /// - Parameter signal: what is played, at the server's rate, full scale ±1.
  /// - Throws: `AudioPortError`.
  package func start(_ signal: [Float], with other: String) throws {
    let samples = UnsafeMutablePointer<Float>.allocate(capacity: max(1, signal.count))
    for index in signal.indices { unsafe samples[index] = signal[index] }
    unsafe state.pointee.signal.deallocate()
    unsafe state.pointee.signal = unsafe samples
    unsafe state.pointee.count = signal.count
    let flags = (input: UInt(JackPortIsInput.rawValue), output: UInt(JackPortIsOutput.rawValue))
    func register(_ name: String, _ direction: UInt) throws -> OpaquePointer {
      guard
        let port = unsafe jack_port_register(
          client, name, "32 bit float mono audio", direction, 0)
      else { throw AudioPortError.refused(step: "register the port \(name)") }
      return unsafe port
    }
    unsafe state.pointee.output = unsafe try register("out", flags.output)
    unsafe state.pointee.left = unsafe try register("in_1", flags.input)
    unsafe state.pointee.right = unsafe try register("in_2", flags.input)
    let argument = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe jack_on_shutdown(client, clipGone, argument)
    unsafe jack_on_info_shutdown(client, clipGoneBecause, argument)
    guard unsafe jack_set_process_callback(client, clipProcess, argument) == 0,
      unsafe jack_activate(client) == 0
    else { throw AudioPortError.refused(step: "activate the client") }
    for (from, to) in [
      ("\(name):out", "\(other):in_1"), ("\(other):out_1", "\(name):in_1"),
      ("\(other):out_2", "\(name):in_2"),
    ] {
      let status = unsafe jack_connect(client, from, to)
      guard status == 0 || status == EEXIST else {
        throw AudioPortError.refused(step: "connect \(from) with \(to)")
      }
    }
  }

  /// The clip begins with the next period, and so does the recording.
  package func begin() { running.store(1, ordering: .releasing) }

  /// Both channels of what came back in `range` of frames; silence where the reader was too slow.
  package func recorded(_ range: Range<Int>) -> [[Float]] {
    var result = [[Float]](repeating: [Float](repeating: 0, count: range.count), count: 2)
    var span = result[0].mutableSpan
    _ = left.read(at: range.lowerBound, into: &span)
    var other = result[1].mutableSpan
    _ = right.read(at: range.lowerBound, into: &other)
    return result
  }

  @_noLocks fileprivate func period(_ count: Int) {
    guard let output = unsafe state.pointee.output, let first = unsafe state.pointee.left,
      let second = unsafe state.pointee.right,
      let rawOut = unsafe continuo_realtime_port_buffer(output, UInt32(count)),
      let rawLeft = unsafe continuo_realtime_port_buffer(first, UInt32(count)),
      let rawRight = unsafe continuo_realtime_port_buffer(second, UInt32(count))
    else { return }
    let out = unsafe rawOut.assumingMemoryBound(to: Float.self)
    guard running.load(ordering: .acquiring) != 0 else {
      unsafe continuo_realtime_zero(out, count)
      return
    }
    let frame = unsafe state.pointee.frame
    if frame == 0 {
      firstStamp.store(Int(unsafe continuo_realtime_frame_time(client)), ordering: .releasing)
    }
    var playing = unsafe state.pointee.count &- frame
    if playing < 0 { playing = 0 }
    if playing > count { playing = count }
    if playing > 0 { unsafe continuo_realtime_copy(out, state.pointee.signal + frame, playing) }
    unsafe continuo_realtime_zero(out + playing, count &- playing)
    unsafe left.write(
      UnsafePointer(rawLeft.assumingMemoryBound(to: Float.self)), at: frame, count: count)
    unsafe right.write(
      UnsafePointer(rawRight.assumingMemoryBound(to: Float.self)), at: frame, count: count)
    unsafe state.pointee.frame = frame &+ count
    done.store(frame &+ count, ordering: .releasing)
  }
}
