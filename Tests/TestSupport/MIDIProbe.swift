// A JACK client for tests that sends control changes and hears what comes back.

internal import CJACK
import Engine
import Foundation

private func midiProbeProcess(_ frames: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
  guard let argument = unsafe argument else { return 0 }
  unsafe Unmanaged<MIDIProbe>.fromOpaque(argument).takeUnretainedValue().process(frames)
  return 0
}

/// One MIDI port each way. Messages are 0x00SSDDDD.
///
/// Safe because the pointers are set before the client is active and only read from then on; the rings are
/// made for two threads.
@safe package final class MIDIProbe: @unchecked Sendable {
  private let client: OpaquePointer
  private let output: OpaquePointer
  private let input: OpaquePointer
  private let outgoing = MessageRing(capacity: 256)
  private let incoming = MessageRing(capacity: 1024)

  /// Returns nil when there is no such server.
  package init?(server: String, name: String = "keys") {
    var status = jack_status_t(rawValue: 0)
    let type = "8 bit raw midi"
    guard
      let opened = unsafe continuo_jack_client_open(name, JackNoStartServer, &status, server),
      let output = unsafe jack_port_register(
        opened, "midi_out", type, UInt(JackPortIsOutput.rawValue), 0),
      let input = unsafe jack_port_register(
        opened, "midi_in", type, UInt(JackPortIsInput.rawValue), 0)
    else { return nil }
    unsafe client = unsafe opened
    unsafe self.output = unsafe output
    unsafe self.input = unsafe input
    _ = unsafe jack_set_process_callback(
      opened, midiProbeProcess, Unmanaged.passUnretained(self).toOpaque())
    _ = unsafe jack_activate(opened)
  }

  /// Connects both ways with a client that has Continuo's port names; false when it has none.
  package func connect(to other: String) -> Bool {
    let name = unsafe String(cString: jack_get_client_name(client))
    let there = unsafe jack_connect(client, "\(name):midi_out", "\(other):midi_in")
    let back = unsafe jack_connect(client, "\(other):midi_out", "\(name):midi_in")
    return there == 0 && back == 0
  }

  /// Sends a control change.
  /// - Parameter channel: 1 … 16.
  package func turn(_ controller: Int, to value: Int, channel: Int = 1) {
    let status = UInt32(0xB0 + channel - 1) << 16
    _ = outgoing.offer(status | UInt32(controller) << 8 | UInt32(value))
  }

  /// What has come since the last call.
  package func heard() -> [(channel: Int, controller: Int, value: Int)] {
    var result: [(channel: Int, controller: Int, value: Int)] = []
    while true {
      let message = incoming.take()
      if message == 0 { return result }
      guard message >> 20 & 0xF == 0xB else { continue }
      result.append(
        (Int(message >> 16 & 0xF) + 1, Int(message >> 8 & 0x7F), Int(message & 0x7F)))
    }
  }

  /// Closes the client.
  package func close() { _ = unsafe jack_client_close(client) }

  fileprivate func process(_ frames: UInt32) {
    if let buffer = unsafe jack_port_get_buffer(input, frames) {
      let count = unsafe continuo_realtime_midi_count(buffer)
      for index in 0..<count {
        let message = unsafe continuo_realtime_midi_event(buffer, index)
        if message != 0 { _ = incoming.offer(message) }
      }
    }
    guard let buffer = unsafe jack_port_get_buffer(output, frames) else { return }
    unsafe continuo_realtime_midi_clear(buffer)
    while true {
      let message = outgoing.take()
      if message == 0 { return }
      if unsafe continuo_realtime_midi_write(buffer, message) != 0 { return }
    }
  }
}
