// `continuo watch`: what the daemon says, as it says it; meters as bars where a person is looking.

import ArgumentParser
import Engine
import Foundation
import Reporting

#if canImport(Glibc)
  import Glibc
#endif

struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Shows live meters, or everything under an OSC pattern.",
    discussion: """
      Without a pattern, and on a terminal, the eight knobs are shown as bars: strength, reading C, \
      threshold τ, gain g. With a pattern every message is a line.

      Examples:
        continuo watch
        continuo watch '/knob/*' --for 10
        continuo watch / --json
      """)

  @Option(help: "Where the daemon listens.") var host = "127.0.0.1"
  @Option(help: "The daemon's OSC port.") var port: UInt16 = 9770
  @Option(name: .customLong("for"), parsing: .unconditional, help: "Seconds; default: for ever.")
  var seconds: Double?
  @Flag(help: "One line of JSON per message.") var json = false
  @ArgumentParser.Argument(help: "An OSC address or pattern; default: meters.") var pattern: String?

  func run() throws {
    let socket = try OSCServer(port: 0)
    let daemon = OSCPeer(host: host, port: port)
    let isBoard = pattern == nil && !json && isatty(STDOUT_FILENO) == 1
    let wanted = pattern.map { $0 == "/" ? "/*" : $0 } ?? "/*"
    var board = MeterBoard()
    let end = seconds.map { ContinuousClock.now + .seconds($0) }
    var isKnown = false
    while end.map({ $0 > .now }) ?? true {
      socket.send(
        OSCMessage("/subscribe", [.string(wanted), .int(30)]), to: daemon)
      if isBoard { socket.send(OSCMessage("/status"), to: daemon) }
      let left = end.map { Double(($0 - .now).components.seconds) + 1 } ?? 10
      for message in OSCAnswers(socket, seconds: min(left, isBoard ? 0.5 : 10)) {
        if let end, end <= .now { break }
        if message.path == "/error" {
          throw ControlError.failed(
            problem: message.line, remedy: "see continuo watch --help")
        }
        if message == OSCMessage("/reply", [.string("/subscribe"), .string("ok")]) {
          isKnown = true
          continue
        }
        if isBoard {
          board.take(message)
          board.draw()
        } else {
          let line = json ? message.jsonLine : message.line
          FileHandle.standardOutput.write(Data("\(line)\n".utf8))
        }
      }
      guard isKnown else {
        throw ControlError.failed(
          problem: "nobody answers at \(host):\(port)", remedy: "start continuod, or give --port")
      }
    }
  }
}

/// The knobs as bars on a terminal.
private struct MeterBoard {
  private var strengths = [Float](repeating: 0, count: 9)
  private var readings = [(reading: Float, threshold: Float, gain: Float)?](
    repeating: nil, count: 9)
  private var status = ""
  private var notice = ""
  private var lines = 0
  private var last = ContinuousClock.now - .seconds(1)

  mutating func take(_ message: OSCMessage) {
    let parts = message.path.split(separator: "/")
    let numbers = message.arguments.map { Float($0.number ?? 0) }
    if parts.count == 3, parts[0] == "knob", let slot = Int(parts[1]), (1...8).contains(slot) {
      if parts[2] == "strength", numbers.count == 1 { strengths[slot] = numbers[0] }
      if parts[2] == "meter", numbers.count == 3 {
        readings[slot] = (numbers[0], numbers[1], numbers[2])
      }
    } else if message.path == "/engine/notice" {
      notice = printable(message.arguments.first?.text ?? "")
    } else if message.path == "/attribution/progress", numbers.count == 3 {
      let left = numbers[2] < 0 ? "" : ", \(Int(numbers[2])) s left"
      notice =
        "job \(printable(message.arguments[0].text ?? "")): \(Int(numbers[1] * 100)) %\(left)"
    } else if message.path == "/reply", message.arguments.first?.text == "/status",
      message.arguments.count == 9
    {
      let a = message.arguments
      status =
        "\(a[1].text ?? "")  \(a[2].text ?? "")  \(String(format: "%.2f", a[4].number ?? 0)) × real time"
        + "  \(String(format: "%.2f", a[8].number ?? 0)) s ready  \(a[7]) underruns"
    }
  }

  mutating func draw() {
    guard ContinuousClock.now - last >= .milliseconds(50) else { return }
    last = .now
    var text = lines > 0 ? "\u{1B}[\(lines)A" : ""
    lines = 10
    text += "\u{1B}[K\(status)\n"
    for slot in 1...8 {
      let width = 40
      var bar = [Character](repeating: "·", count: width)
      if let reading = readings[slot] {
        let filled = min(width, max(0, Int(reading.reading * Float(width))))
        for index in 0..<filled { bar[index] = "█" }
        let mark = min(width - 1, max(0, Int(reading.threshold * Float(width))))
        bar[mark] = "│"
      }
      let gain = readings[slot].map { String(format: "%.2f", $0.gain) } ?? "    "
      text +=
        "\u{1B}[K\(slot) \(String(format: "%+.2f", strengths[slot])) \(String(bar)) g \(gain)\n"
    }
    text += "\u{1B}[K\(notice)\n"
    FileHandle.standardOutput.write(Data(text.utf8))
  }
}
