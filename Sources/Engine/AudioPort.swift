// The JACK client: ports, callbacks, and staying alive when the server does not.
//
// A keeper thread opens the client, watches it, closes it when the server has gone (never from inside
// a callback) and tries again for ever. Nothing here touches a network; the callback's work is in
// `AudioCallback.swift`.

internal import CJACK
import Foundation
package import Reporting
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Why there is no JACK client.
package enum AudioPortError: Explained {
  case noServer(name: String, status: UInt32)
  case refused(step: String)

  package var kind: FailureKind { .unavailable }
  package var problem: String {
    switch self {
    case .noServer(let name, let status):
      "no JACK server answers to client \(name) (status 0x\(String(status, radix: 16)))"
    case .refused(let step): "the JACK server refused to \(step)"
    }
  }
  package var remedy: String {
    switch self {
    case .noServer: "start jackd or PipeWire (pw-jack); the daemon keeps trying by itself"
    case .refused: "look into the server's log; the daemon keeps trying by itself"
    }
  }
}

/// What the port is doing, for `/status`.
package enum AudioPortState: Int, Sendable {
  case closed = 0
  case running = 1
}

/// The daemon's face towards JACK.
///
/// Threading: `start` and `stop` from one thread; the keeper thread owns the client in between. `state`
/// and `lastProblem` may be read from anywhere.
///
/// Safe because the client pointer is only touched under `lock`, and freed by the keeper alone.
@safe package final class AudioPort: @unchecked Sendable {
  package let exchange: AudioExchange
  private var name: String
  private let connect: String
  private let server: String?
  private let stateValue = Atomic<Int>(0)
  private let stopping = Atomic<Int>(0)
  private let openings = Atomic<Int>(0)
  /// When the call of libjack that is under way began, in nanoseconds of the steady clock; 0 while none is.
  private let asking = Atomic<UInt64>(0)
  private let lock = NSLock()
  private var client: OpaquePointer?
  private var ports: [(name: String, pointer: OpaquePointer)] = unsafe []
  private var problem = ""
  private var connections: ConnectionMemory
  private var keeper: Thread?
  private let finished = DispatchSemaphore(value: 0)

  /// - Parameters:
  ///   - name: the client name; the server may add a number to it.
  ///   - connect: `system` connects to physical ports at the first opening, anything else connects
  ///     nothing by itself.
  ///   - server: name of the JACK server; nil for the default one (`$JACK_DEFAULT_SERVER`).
  package init(name: String, connect: String, exchange: AudioExchange, server: String? = nil) {
    self.server = server
    self.name = name
    self.connect = connect
    self.exchange = exchange
    connections = ConnectionMemory()
  }

  package var state: AudioPortState {
    AudioPortState(rawValue: stateValue.load(ordering: .acquiring)) ?? .closed
  }

  /// How often a client has been opened: 1 after the first, more after every return of the server.
  package var openingCount: Int { openings.load(ordering: .relaxed) }

  /// Why there is no client, or an empty text.
  package var lastProblem: String {
    let began = asking.load(ordering: .acquiring)
    if began > 0, Self.now() > began, Self.now() - began > 3_000_000_000 {
      return "the JACK server hangs: it takes a connection and does not answer; restart it"
    }
    lock.lock()
    defer { lock.unlock() }
    return problem
  }

  /// Another client name; only before `start`.
  package func rename(_ name: String) {
    precondition(keeper == nil, "the client runs already")
    self.name = name
  }

  /// Closes the client and opens it under another name, connected to nothing by itself: a session manager
  /// brings other programs, and connects them.
  ///
  /// Where the server hangs, the client waits for it under its old name.
  package func reopen(as name: String) {
    let isClosed = stop()
    stopping.store(0, ordering: .releasing)
    guard isClosed else { return }
    connections = ConnectionMemory()
    self.name = name
    start()
  }

  /// Starts the keeper thread, which opens the client and keeps it open.
  package func start() {
    let thread = Thread { [self] in keep() }
    thread.name = "jack-keeper"
    keeper = thread
    thread.start()
  }

  /// Closes the client and ends the keeper thread.
  ///
  /// Libjack waits for ever for a server that hangs; this does not.
  /// - Returns: false when libjack had not come back after half a second; then the client lives until the
  ///   process ends.
  @discardableResult package func stop() -> Bool {
    guard keeper != nil else { return true }
    stopping.store(1, ordering: .releasing)
    guard finished.wait(timeout: .now() + .milliseconds(500)) == .success else { return false }
    keeper = nil
    return true
  }

  private static func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

  private func keep() {
    var lastPeriods = -1
    var stillSince = ContinuousClock.now
    while stopping.load(ordering: .acquiring) == 0 {
      if unsafe client == nil {
        do {
          try open()
          lastPeriods = -1
          stillSince = .now
        } catch {
          note(problem: explanation(of: error))
        }
      } else {
        let periods = exchange.periods.load(ordering: .acquiring)
        if periods != lastPeriods {
          lastPeriods = periods
          stillSince = .now
        }
        // A server killed with -9 may never say goodbye: a clock that stands still is dead too.
        let silent = ContinuousClock.now - stillSince > .seconds(2)
        if exchange.gone.load(ordering: .acquiring) == 1 || silent {
          note(problem: "the JACK server has gone")
          close()
        } else {
          look()
        }
      }
      usleep(unsafe client == nil ? 300_000 : 200_000)
    }
    close()
    finished.signal()
  }

  private func note(problem text: String) {
    lock.lock()
    problem = text
    lock.unlock()
  }

  private func open() throws {
    var status = jack_status_t(rawValue: 0)
    exchange.gone.store(0, ordering: .releasing)
    asking.store(Self.now(), ordering: .releasing)
    defer { asking.store(0, ordering: .releasing) }
    let opened = unsafe continuo_jack_client_open(name, JackNoStartServer, &status, server)
    guard let opened = unsafe opened else {
      throw AudioPortError.noServer(name: name, status: status.rawValue)
    }
    var done = false
    defer { if !done { _ = unsafe jack_client_close(opened) } }
    let argument = unsafe Unmanaged.passUnretained(exchange).toOpaque()
    unsafe jack_on_shutdown(opened, audioGone, argument)
    unsafe jack_on_info_shutdown(opened, audioGoneBecause, argument)
    _ = unsafe jack_set_thread_init_callback(opened, audioThreadStarts, argument)
    _ = unsafe jack_set_xrun_callback(opened, audioXrun, argument)
    _ = unsafe jack_set_sample_rate_callback(opened, audioRate, argument)
    _ = unsafe jack_set_buffer_size_callback(opened, audioSize, argument)
    _ = unsafe jack_set_freewheel_callback(opened, audioFreewheel, argument)
    guard unsafe jack_set_process_callback(opened, audioProcess, argument) == 0 else {
      throw AudioPortError.refused(step: "take the process callback")
    }
    exchange.freewheel.store(0, ordering: .releasing)
    exchange.sampleRate.store(Int(unsafe jack_get_sample_rate(opened)), ordering: .releasing)

    let isInput = UInt(JackPortIsInput.rawValue)
    let isOutput = UInt(JackPortIsOutput.rawValue)
    let terminal = UInt(JackPortIsTerminal.rawValue)
    func register(_ name: String, _ type: String, _ flags: UInt) throws -> OpaquePointer {
      guard let port = unsafe jack_port_register(opened, name, type, flags, 0) else {
        throw AudioPortError.refused(step: "register the port \(name)")
      }
      return unsafe port
    }
    let audio = "32 bit float mono audio"
    let midi = "8 bit raw midi"
    let input = try unsafe register("in_1", audio, isInput | terminal)
    let left = try unsafe register("out_1", audio, isOutput | terminal)
    let right = try unsafe register("out_2", audio, isOutput | terminal)
    let midiIn = try unsafe register("midi_in", midi, isInput | terminal)
    let midiOut = try unsafe register("midi_out", midi, isOutput | terminal)

    let state = unsafe exchange.callback
    unsafe state.pointee.client = unsafe opened
    unsafe state.pointee.input = unsafe input
    unsafe state.pointee.left = unsafe left
    unsafe state.pointee.right = unsafe right
    unsafe state.pointee.midiIn = unsafe midiIn
    unsafe state.pointee.midiOut = unsafe midiOut
    unsafe state.pointee.hasStamp = false
    guard unsafe jack_activate(opened) == 0 else {
      throw AudioPortError.refused(step: "activate the client")
    }
    done = true
    lock.lock()
    unsafe client = unsafe opened
    unsafe ports = unsafe [
      ("in_1", input), ("out_1", left), ("out_2", right), ("midi_in", midiIn),
      ("midi_out", midiOut),
    ]
    problem = ""
    lock.unlock()
    if openings.wrappingAdd(1, ordering: .relaxed).newValue == 1, connect == "system" {
      connections.want(unsafe physicalConnections(of: opened))
    }
    connections.serverReturned()
    look()
    stateValue.store(AudioPortState.running.rawValue, ordering: .releasing)
  }

  private func close() {
    lock.lock()
    let closing = unsafe client
    unsafe client = nil
    unsafe ports = []
    lock.unlock()
    stateValue.store(AudioPortState.closed.rawValue, ordering: .releasing)
    guard let closing = unsafe closing else { return }
    asking.store(Self.now(), ordering: .releasing)
    defer { asking.store(0, ordering: .releasing) }
    if exchange.gone.load(ordering: .acquiring) == 0 { _ = unsafe jack_deactivate(closing) }
    _ = unsafe jack_client_close(closing)
    unsafe exchange.callback.pointee.client = nil
  }

  /// Reads latencies and connections, and makes the connections that are missing.
  private func look() {
    guard let client = unsafe client else { return }
    var range = jack_latency_range_t(min: 0, max: 0)
    if let port = unsafe ports.first(where: { unsafe $0.name == "in_1" })?.pointer {
      unsafe jack_port_get_latency_range(port, JackCaptureLatency, &range)
      exchange.captureLatency.store(Int(range.max), ordering: .relaxed)
    }
    if let port = unsafe ports.first(where: { unsafe $0.name == "out_1" })?.pointer {
      unsafe jack_port_get_latency_range(port, JackPlaybackLatency, &range)
      exchange.playbackLatency.store(Int(range.max), ordering: .relaxed)
    }
    var actual: Set<Connection> = []
    for unsafe(name, port) in unsafe ports {
      guard let list = unsafe jack_port_get_all_connections(client, port) else { continue }
      var index = 0
      while let other = unsafe list[index] {
        unsafe actual.insert(Connection(own: name, other: String(cString: other)))
        index += 1
      }
      unsafe jack_free(UnsafeMutableRawPointer(mutating: list))
    }
    let missing = connections.update(actual: actual) { other in
      unsafe jack_port_by_name(client, other) != nil
    }
    for connection in missing {
      guard
        let port = unsafe ports.first(where: { unsafe $0.name == connection.own })?.pointer,
        let own = unsafe jack_port_name(port)
      else { continue }
      let ownName = unsafe String(cString: own)
      if connection.own.hasPrefix("out") || connection.own == "midi_out" {
        _ = unsafe jack_connect(client, ownName, connection.other)
      } else {
        _ = unsafe jack_connect(client, connection.other, ownName)
      }
    }
  }

  /// First physical source to `in_1`, first two physical sinks to the outputs.
  private func physicalConnections(of client: OpaquePointer) -> [Connection] {
    let physical = UInt(JackPortIsPhysical.rawValue)
    func names(_ direction: UInt) -> [String] {
      guard
        let list = unsafe jack_get_ports(
          client, nil, "32 bit float mono audio", physical | direction)
      else { return [] }
      defer { unsafe jack_free(UnsafeMutableRawPointer(mutating: list)) }
      var result: [String] = []
      while let name = unsafe list[result.count] { unsafe result.append(String(cString: name)) }
      return result
    }
    var result: [Connection] = []
    if let source = names(UInt(JackPortIsOutput.rawValue)).first {
      result.append(Connection(own: "in_1", other: source))
    }
    let sinks = names(UInt(JackPortIsInput.rawValue))
    for (own, other) in zip(["out_1", "out_2"], sinks) {
      result.append(Connection(own: own, other: other))
    }
    return result
  }
}
