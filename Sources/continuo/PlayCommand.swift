// `continuo play`: a sound file into the running daemon through JACK, and what the daemon makes of it
// into a file. Everything else happens over OSC, as any controller would do it.

import ArgumentParser
import Audio
import Engine
import Foundation
import Reporting

struct PlayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "play",
    abstract: "Plays a sound file into the running daemon and records what comes back.",
    discussion: """
      The daemon must run (continuod). The file goes into its port in_1; with --continue-at the daemon is \
      asked to go on by itself while the file is still playing, and knobs are turned --knob-after seconds \
      later. At the end it says how fast the daemon was, how long knobs took to be heard, and how often the \
      model believed in what was asked for. Ctrl-C ends it in order.

      Examples:
        continuo play riff.wav --continue-at 8 --for 30 --out more.wav
        continuo play riff.wav --continue-at 8 --knob drums=1 --out more.wav --picture more.svg
      """)

  @ArgumentParser.Argument(help: "The sound file: any format, rate and channel count.") var file:
    String
  @Option(
    name: .customLong("continue-at"), help: "Seconds into the file at which the daemon goes on.")
  var continueAt: Double?
  @Option(help: "ID=STRENGTH: a knob to turn, −2 … 2; repeated.") var knob: [String] = []
  @Option(name: .customLong("knob-after"), help: "Seconds from the join to the turn of the knobs.")
  var knobAfter = 4.0
  @Option(
    name: .customLong("for"), help: "Seconds in all (default: until Ctrl-C, or the file's length).")
  var seconds: Double?
  @Option(help: "Records the daemon's two outputs here; the format follows the ending.") var out:
    String
  @Option(help: "Draws the recording, the join and the knobs' readings into this SVG file.")
  var picture: String?
  @Option(name: .customLong("jack-name"), help: "The daemon's JACK client.") var jackName =
    "continuo"
  @Option(name: .customLong("jack-server"), help: "The JACK server (default: the usual one).")
  var jackServer: String?
  @Option(help: "Where the daemon listens for OSC.") var host = "127.0.0.1"
  @Option(help: "The daemon's OSC port.") var port: UInt16 = 9770
  @Flag(help: "The summary as JSON.") var json = false

  func run() throws {
    for (name, value) in [
      ("--continue-at", continueAt), ("--knob-after", knobAfter), ("--for", seconds),
    ] where !(value.map { $0 >= 0 && $0 <= 1e6 } ?? true) {
      throw CommandError.badValue(
        option: name, value: "\(value ?? 0)", expected: "seconds from 0 on")
    }
    let turns = try knob.map(Self.turn)
    let destination = URL(fileURLWithPath: out)
    try OutputPlace.check(destination, option: "--out")
    if let picture { try OutputPlace.check(URL(fileURLWithPath: picture), option: "--picture") }
    let source = try AudioFile.read(URL(fileURLWithPath: file), channels: .mono)

    let visit = try DaemonVisit(daemon: OSCPeer(host: host, port: port))
    let port = try ClipPort(server: jackServer)
    let clip = try source.resampled(to: port.rate)
    let ends: Double? = seconds ?? (continueAt == nil ? source.seconds : nil)
    try port.start(clip.channels[0], with: jackName)
    let summary = try play(port, visit: visit, turns: turns, ends: ends, to: destination)
    if let picture { try draw(summary, visit: visit, of: destination, to: picture) }
    if json { try printJSON(summary) } else { print(summary.text) }
    if port.isGone {
      throw ControlError.failed(
        problem: "the JACK server has gone", remedy: "what was recorded until then is in \(out)")
    }
  }

  /// Plays and records until the end, Ctrl-C, or the server's death.
  private func play(
    _ port: ClipPort, visit: DaemonVisit, turns: [(id: String, strength: Float)], ends: Double?,
    to destination: URL
  ) throws -> PlaySummary {
    let interrupts = InterruptWatch()
    let bar = ProgressBar("play", total: ends ?? 0)
    defer { bar.finish() }
    var isContinued = false
    var isTurned = turns.isEmpty
    port.begin()
    visit.begin()
    let fade = 0.3
    try AudioFile.write(to: destination, rate: port.rate, channels: 2) { writer in
      var leaving: Double?
      while true {
        let now = Double(port.frames) / Double(port.rate)
        if writer.frames < port.frames {
          try writer.append(port.recorded(writer.frames..<port.frames))
        }
        visit.attend(at: now)
        if let continueAt, !isContinued, now >= continueAt {
          isContinued = true
          visit.askToContinue(at: now)
        }
        if let joined = visit.joined, !isTurned, now >= joined + knobAfter {
          isTurned = true
          for turn in turns { visit.turn(turn.id, to: turn.strength, at: now) }
        }
        if ends != nil { bar.show(now, note: "") }
        if let end = leaving, now >= end { return }
        if port.isGone { return }
        let isOver = ends.map { now >= $0 - (isContinued ? fade : 0) } ?? false
        if leaving == nil, isOver || interrupts.isInterrupted {
          leaving = now + (isContinued ? fade : 0)
          visit.ask("/status")
          visit.ask("/engine/latency")
          if isContinued { visit.send(OSCMessage("/transport/stop")) }
        }
        usleep(10_000)
      }
    }
    visit.attend(at: Double(port.frames) / Double(port.rate))
    return visit.summary(
      file: file, out: out, rate: port.rate, seconds: Double(port.frames) / Double(port.rate))
  }

  private func draw(
    _ summary: PlaySummary, visit: DaemonVisit, of recording: URL, to path: String
  ) throws {
    let picture = SoundPicture(
      title: "\(recording.lastPathComponent): \(summary.model), live",
      clip: try AudioFile.read(recording), join: visit.joined, panels: visit.panels)
    try AtomicFile.write(Data(picture.svg().utf8), to: URL(fileURLWithPath: path))
  }

  /// "drums=1" taken apart.
  static func turn(_ word: String) throws -> (id: String, strength: Float) {
    let parts = word.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, let strength = Float(parts[1]), abs(strength) <= 2 else {
      throw CommandError.badValue(
        option: "--knob", value: word, expected: "ID=STRENGTH with a strength from −2 to 2")
    }
    return (String(parts[0]), strength)
  }
}
