// A JACK client for tests: plays a signal that the test made, records what comes back.

internal import CJACK
import Foundation
import Synchronization

/// What the probe's callback touches.
@unsafe private struct ProbeState {
  var output: OpaquePointer?
  var midi: OpaquePointer?
  var inputs: (OpaquePointer?, OpaquePointer?) = (nil, nil)
  var signal: UnsafeMutablePointer<Float>
  var signalCount: Int
  var recording: UnsafeMutablePointer<Float>  // (2, capacity)
  var capacity: Int
  var frame = 0
}

private func probeProcess(_ frames: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
  guard let argument = unsafe argument else { return 0 }
  let probe = unsafe Unmanaged<JackProbe>.fromOpaque(argument).takeUnretainedValue()
  probe.process(Int(frames))
  return 0
}

/// Plays `signal` once, from its start, and records two channels from that moment on.
///
/// Safe because the state is allocated for the probe's life and only the callback touches it while the
/// client is active; readers look at frames before `frames` alone.
@safe package final class JackProbe: @unchecked Sendable {
  private let client: OpaquePointer
  private let state: UnsafeMutablePointer<ProbeState>
  private let done = Atomic<Int>(0)
  private let midiMessage = Atomic<UInt32>(0)
  private let restarting = Atomic<Bool>(false)

  /// - Parameters:
  ///   - signal: what the port `out` plays.
  ///   - seconds: how much is recorded, at 48 kHz.
  /// Returns nil when there is no such server.
  package init?(server: String, name: String = "probe", signal: [Float], seconds: Int = 30) {
    var status = jack_status_t(rawValue: 0)
    guard
      let opened = unsafe continuo_jack_client_open(name, JackNoStartServer, &status, server)
    else { return nil }
    unsafe client = unsafe opened
    let capacity = seconds * 48000
    let samples = UnsafeMutablePointer<Float>.allocate(capacity: max(1, signal.count))
    for index in signal.indices { unsafe samples[index] = signal[index] }
    let recording = UnsafeMutablePointer<Float>.allocate(capacity: 2 * capacity)
    unsafe recording.initialize(repeating: 0, count: 2 * capacity)
    unsafe state = .allocate(capacity: 1)
    unsafe state.initialize(
      to: ProbeState(
        signal: samples, signalCount: signal.count, recording: recording, capacity: capacity))
    let audio = "32 bit float mono audio"
    let isInput = UInt(JackPortIsInput.rawValue)
    let isOutput = UInt(JackPortIsOutput.rawValue)
    unsafe state.pointee.output = jack_port_register(client, "out", audio, isOutput, 0)
    unsafe state.pointee.midi = jack_port_register(
      client, "midi_out", "8 bit raw midi", isOutput, 0)
    unsafe state.pointee.inputs.0 = jack_port_register(client, "in_1", audio, isInput, 0)
    unsafe state.pointee.inputs.1 = jack_port_register(client, "in_2", audio, isInput, 0)
    _ = unsafe jack_set_process_callback(
      client, probeProcess, Unmanaged.passUnretained(self).toOpaque())
    _ = unsafe jack_activate(client)
  }

  /// Connects the probe to a client with Continuo's port names.
  package func connect(to other: String) {
    _ = unsafe jack_connect(client, "\(name):out", "\(other):in_1")
    _ = unsafe jack_connect(client, "\(name):midi_out", "\(other):midi_in")
    _ = unsafe jack_connect(client, "\(other):out_1", "\(name):in_1")
    _ = unsafe jack_connect(client, "\(other):out_2", "\(name):in_2")
  }

  /// The name that the server gave.
  package var name: String { unsafe String(cString: jack_get_client_name(client)) }

  /// Frames recorded so far.
  package var frames: Int { done.load(ordering: .acquiring) }

  /// Frames of one channel, 0 or 1, recorded so far.
  package func recorded(channel: Int) -> [Float] {
    let capacity = unsafe state.pointee.capacity
    let start = unsafe state.pointee.recording + channel * capacity
    return unsafe [Float](UnsafeBufferPointer(start: start, count: min(frames, capacity)))
  }

  /// Sends one MIDI message (0x00SSDDDD) in the next period.
  package func send(midi message: UInt32) {
    while midiMessage.load(ordering: .acquiring) != 0 { usleep(500) }
    midiMessage.store(message, ordering: .releasing)
  }

  /// The ports that `port`, a full name, is connected to.
  package func peers(of port: String) -> [String] {
    guard let pointer = unsafe jack_port_by_name(client, port),
      let list = unsafe jack_port_get_all_connections(client, pointer)
    else { return [] }
    defer { unsafe jack_free(UnsafeMutableRawPointer(mutating: list)) }
    var result: [String] = []
    while let other = unsafe list[result.count] { unsafe result.append(String(cString: other)) }
    return result
  }

  /// Whether the server runs as fast as its clients can.
  package func freewheel(_ on: Bool) { _ = unsafe jack_set_freewheel(client, on ? 1 : 0) }

  /// Another period for the whole server; false when it refuses.
  package func change(period: Int) -> Bool {
    unsafe jack_set_buffer_size(client, UInt32(period)) == 0
  }

  /// The recording begins anew, and so does the signal; returns when it has.
  package func recordAgain() {
    restarting.store(true, ordering: .releasing)
    for _ in 0..<20_000 where restarting.load(ordering: .acquiring) { usleep(500) }
  }

  /// Closes the client.
  package func close() {
    _ = unsafe jack_client_close(client)
  }

  fileprivate func process(_ count: Int) {
    if restarting.exchange(false, ordering: .acquiringAndReleasing) {
      unsafe state.pointee.frame = 0
    }
    let frame = unsafe state.pointee.frame
    guard let output = unsafe state.pointee.output,
      let raw = unsafe jack_port_get_buffer(output, UInt32(count))
    else { return }
    let out = unsafe raw.assumingMemoryBound(to: Float.self)
    for index in 0..<count {
      let position = frame + index
      unsafe out[index] =
        unsafe position < state.pointee.signalCount ? unsafe state.pointee.signal[position] : 0
    }
    for unsafe(channel, port) in unsafe [state.pointee.inputs.0, state.pointee.inputs.1]
      .enumerated()
    {
      guard let port = unsafe port, let raw = unsafe jack_port_get_buffer(port, UInt32(count))
      else { continue }
      let input = unsafe raw.assumingMemoryBound(to: Float.self)
      let capacity = unsafe state.pointee.capacity
      for index in 0..<count where frame + index < capacity {
        unsafe state.pointee.recording[channel * capacity + frame + index] = unsafe input[index]
      }
    }
    if let midi = unsafe state.pointee.midi,
      let buffer = unsafe jack_port_get_buffer(midi, UInt32(count))
    {
      unsafe jack_midi_clear_buffer(buffer)
      let message = midiMessage.exchange(0, ordering: .acquiringAndReleasing)
      if message != 0 { _ = unsafe continuo_realtime_midi_write(buffer, message) }
    }
    unsafe state.pointee.frame = frame + count
    done.store(frame + count, ordering: .releasing)
  }
}
