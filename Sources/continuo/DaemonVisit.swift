// What a visitor learns of the daemon over OSC while it plays: state, meters, latencies, notices.

import Audio
import Engine
import Foundation
import Reporting

/// What `continuo play` says at the end.
struct PlaySummary: Codable, Equatable {
  struct Knob: Codable, Equatable {
    var id: String
    var strength: Float
    /// Share of readings at or above the threshold before and after the turn, 0 … 1; nil without any.
    var successBefore: Double?
    var successAfter: Double?
    /// Seconds from the turn to the first changed sample.
    var knobToSound: Double?
  }
  var file: String
  var out: String
  var model: String
  var rate: Int
  var seconds: Double
  /// Seconds into the recording at which the daemon's own music began; nil when it did not.
  var joined: Double?
  /// Seconds of work per second of music.
  var realTimeFactor: Double
  /// Median and 99th percentile of knob-to-sound seconds, of all changes since the daemon started.
  var latencyMedian: Double
  var latency99: Double
  /// Dropouts that the JACK server counted while this played.
  var xruns: Int
  /// Times that the daemon's music was due and not ready while this played.
  var underruns: Int
  var knobs: [Knob]
  var notices: [String]

  /// For a person to read.
  var text: String {
    var lines = [
      String(format: "%@: %.1f s at %d Hz from %@, model %@", out, seconds, rate, file, model)
    ]
    if let joined {
      lines.append(String(format: "the music goes on by itself from %.2f s", joined))
      lines.append(String(format: "real-time factor     %.3f s of work per second", realTimeFactor))
    } else {
      lines.append("the daemon did not go on by itself")
    }
    if latencyMedian > 0 {
      lines.append(
        String(
          format: "knob to sound        median %.0f ms, 99th percentile %.0f ms",
          latencyMedian * 1000, latency99 * 1000))
    }
    lines.append("dropouts             \(xruns) of the server, \(underruns) of the daemon")
    func percent(_ share: Double?) -> String {
      share.map { String(format: "%.0f %%", $0 * 100) } ?? "unknown"
    }
    for knob in knobs {
      let heard = knob.knobToSound.map { String(format: "heard after %.0f ms, ", $0 * 1000) } ?? ""
      lines.append(
        "knob \(knob.id) \(String(format: "%g", knob.strength)): \(heard)the model believes in it"
          + " \(percent(knob.successBefore)) of the time before, \(percent(knob.successAfter)) after"
      )
    }
    lines += notices.map { "the daemon said: \($0)" }
    return lines.joined(separator: "\n")
  }
}

/// A conversation with the daemon. Times are seconds since the recording began.
final class DaemonVisit {
  private let socket: OSCServer
  private let daemon: OSCPeer
  private var model = ""
  private var status: [OSCValue] = []
  private var firstStatus: [OSCValue] = []
  private var latency: [OSCValue] = []
  private var notices: [String] = []
  private var meters: [Int: [(at: Double, reading: Float, threshold: Float, gain: Float)]] = [:]
  private var turns: [(id: String, strength: Float, at: Double)] = []
  private var slots: [String: Int] = [:]
  private var applied: [Int: Double] = [:]
  private var renewed = -1000.0
  /// When the daemon's own music was first heard.
  private(set) var joined: Double?
  /// When it was asked to go on.
  private var asked: Double?

  /// Finds the daemon.
  /// - Throws: `ControlError` when nobody answers within two seconds.
  init(daemon: OSCPeer) throws {
    self.daemon = daemon
    socket = try OSCServer(port: 0)
    let end = ContinuousClock.now + .seconds(2)
    while status.isEmpty {
      guard ContinuousClock.now < end else {
        throw ControlError.failed(
          problem: "nobody answers at \(daemon.host):\(daemon.port)",
          remedy: "start continuod, or give --port")
      }
      ask("/status")
      usleep(100_000)
      attend(at: 0)
    }
    firstStatus = status
  }

  /// Subscribes to what the summary needs.
  func begin() { renew(at: 0) }

  func send(_ message: OSCMessage) { socket.send(message, to: daemon) }

  func ask(_ address: String) { send(OSCMessage(address)) }

  /// Asks the daemon to go on by itself.
  func askToContinue(at now: Double) {
    asked = now
    ask("/transport/continue")
  }

  /// Turns a knob by its trait's id and remembers when.
  func turn(_ id: String, to strength: Float, at now: Double) {
    turns.append((id, strength, now))
    send(OSCMessage("/knob/\(id)/strength", [.float(strength)]))
    ask("/knob/\(id)/strength")
  }

  /// Takes in what has come.
  func attend(at now: Double) {
    if now - renewed > 10 { renew(at: now) }
    for message in socket.receive().flatMap(\.messages) { take(message, at: now) }
  }

  private func renew(at now: Double) {
    renewed = now
    for pattern in ["/transport/joined", "/engine/notice", "/knob/*/meter", "/knob/*/applied"] {
      send(OSCMessage("/subscribe", [.string(pattern), .int(30)]))
    }
  }

  private func take(_ message: OSCMessage, at now: Double) {
    let parts = message.path.split(separator: "/")
    switch message.path {
    case "/reply":
      guard let asked = message.arguments.first?.text else { return }
      let values = Array(message.arguments.dropFirst())
      if asked == "/status" {
        status = values
        model = values.count > 1 ? values[1].text ?? "" : ""
      } else if asked == "/engine/latency" {
        latency = values
      } else if let turn = turns.last(where: { asked.hasSuffix("/strength") && slots[$0.id] == nil }
      ),
        let slot = Self.slot(of: asked)
      {
        slots[turn.id] = slot
      }
    case "/transport/joined":
      if joined == nil, message.arguments.count == 2 {
        joined = asked.map { $0 + (message.arguments[1].number ?? 0) } ?? now
      }
    case "/engine/notice", "/error":
      let words = message.arguments.compactMap(\.text).joined(separator: ": ")
      if notices.count < 20, !notices.contains(words) { notices.append(printable(words)) }
    default:
      guard let slot = Self.slot(of: message.path) else { return }
      let numbers = message.arguments.map { $0.number ?? 0 }
      if parts.last == "meter", numbers.count == 3 {
        meters[slot, default: []].append(
          (now, Float(numbers[0]), Float(numbers[1]), Float(numbers[2])))
      } else if parts.last == "applied", numbers.count == 3, numbers[2] > 0 {
        applied[slot] = numbers[2]
      }
    }
  }

  /// 3 of "/knob/3/meter".
  private static func slot(of path: String) -> Int? {
    let parts = path.split(separator: "/")
    return parts.count == 3 && parts[0] == "knob" ? Int(parts[1]) : nil
  }

  private func success(_ slot: Int?, _ range: Range<Double>) -> Double? {
    let readings = (slot.flatMap { meters[$0] } ?? []).filter { range.contains($0.at) }
    guard !readings.isEmpty else { return nil }
    return Double(readings.count { $0.reading >= $0.threshold }) / Double(readings.count)
  }

  func summary(file: String, out: String, rate: Int, seconds: Double) -> PlaySummary {
    func number(_ place: Int, _ values: [OSCValue]) -> Double {
      values.indices.contains(place) ? values[place].number ?? 0 : 0
    }
    return PlaySummary(
      file: file, out: out, model: printable(model), rate: rate, seconds: seconds, joined: joined,
      realTimeFactor: number(3, status), latencyMedian: number(1, latency),
      latency99: number(2, latency), xruns: Int(number(5, status) - number(5, firstStatus)),
      underruns: Int(number(6, status) - number(6, firstStatus)),
      knobs: turns.map { turn in
        let slot = slots[turn.id]
        let heard = slot.flatMap { applied[$0] }
        let change = turn.at + (heard ?? 0)
        return PlaySummary.Knob(
          id: turn.id, strength: turn.strength, successBefore: success(slot, 0..<turn.at),
          successAfter: success(slot, change..<seconds + 1), knobToSound: heard)
      },
      notices: notices)
  }

  /// One panel of curves per knob that was turned.
  var panels: [SoundPicture.Panel] {
    turns.compactMap { turn in
      guard let readings = slots[turn.id].flatMap({ meters[$0] }), !readings.isEmpty else {
        return nil
      }
      func points(_ value: (Float, Float, Float) -> Float) -> [(seconds: Double, value: Double)] {
        readings.map { ($0.at, min(1, Double(value($0.reading, $0.threshold, $0.gain)))) }
      }
      return SoundPicture.Panel(
        "\(turn.id) \(String(format: "%g", turn.strength)) from \(String(format: "%.1f s", turn.at))",
        range: 0...1,
        curves: [
          SoundPicture.Curve("reading", points: points { reading, _, _ in reading }),
          SoundPicture.Curve("threshold", style: .dashed, points: points { _, level, _ in level }),
          SoundPicture.Curve("gain", style: .steps, points: points { _, _, gain in gain }),
        ])
    }
  }
}
