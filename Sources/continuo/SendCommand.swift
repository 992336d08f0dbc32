// `continuo send`: one OSC message to the daemon, and its answers.

import ArgumentParser
import Engine
import Foundation
import Reporting

#if canImport(Glibc)
  import Glibc
#endif

struct SendCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send",
    abstract: "Sends one OSC message to the daemon and shows what it answers.",
    discussion: """
      Arguments are numbers or texts; a text that looks like a number is given as s:TEXT, an integer as \
      i:N, a float as f:X.

      Examples:
        continuo send /status
        continuo send /transport/continue
        continuo send /knob/drums/strength 1
        continuo send /prompt/load s:42
        continuo send --addresses
      """)

  @Option(help: "Where the daemon listens.") var host = "127.0.0.1"
  @Option(help: "The daemon's OSC port.") var port: UInt16 = 9770
  @Option(parsing: .unconditional, help: "Seconds to wait for answers.") var wait = 0.3
  @Flag(help: "Answers as JSON, one line each.") var json = false
  @Flag(help: "Sends nothing and prints every address as a Markdown table.") var addresses = false
  @ArgumentParser.Argument(help: "An OSC address, such as /status.") var address = ""
  @ArgumentParser.Argument(parsing: .captureForPassthrough, help: "Its arguments.") var arguments:
    [String] = []

  func run() throws {
    if addresses {
      print(AddressManual.markdown, terminator: "")
      return
    }
    guard address.hasPrefix("/") else {
      throw CommandError.badValue(
        option: "ADDRESS", value: address, expected: "an OSC address such as /status")
    }
    let message = OSCMessage(address, arguments.map(Self.value))
    let socket = try OSCServer(port: 0)
    guard socket.send(message, to: OSCPeer(host: host, port: port)) else {
      throw ControlError.failed(
        problem: "cannot send to \(host):\(port)", remedy: "give a numeric IPv4 address")
    }
    var failed = false
    for answer in OSCAnswers(socket, seconds: wait, asking: address) {
      print(json ? answer.jsonLine : answer.line)
      if answer.path == "/error" { failed = true }
    }
    if failed { throw ExitCode(FailureKind.data.rawValue) }
  }

  /// What a word on the command line means.
  static func value(_ word: String) -> OSCValue {
    if word.hasPrefix("s:") { return .string(String(word.dropFirst(2))) }
    if word.hasPrefix("i:"), let number = Int32(word.dropFirst(2)) { return .int(number) }
    if word.hasPrefix("f:"), let number = Float(word.dropFirst(2)) { return .float(number) }
    if let number = Int32(word) { return .int(number) }
    if let number = Float(word) { return .float(number) }
    return .string(word)
  }
}

/// Messages as they come, until a time is over; for a query that has its answer a moment longer.
struct OSCAnswers: Sequence, IteratorProtocol {
  private let socket: OSCServer
  private let asked: String?
  private var end: ContinuousClock.Instant
  private var waiting: [OSCMessage] = []

  init(_ socket: OSCServer, seconds: Double, asking address: String? = nil) {
    self.socket = socket
    asked = address
    end = .now + .seconds(seconds)
  }

  mutating func next() -> OSCMessage? {
    while true {
      if !waiting.isEmpty { return waiting.removeFirst() }
      let left = end - .now
      guard left > .zero else { return nil }
      var descriptor = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
      let milliseconds =
        Int32(Double(left.components.seconds) * 1000)
        + Int32(Double(left.components.attoseconds) * 1e-15) + 1
      guard unsafe poll(&descriptor, 1, milliseconds) > 0 else { continue }
      waiting = socket.receive().flatMap(\.messages)
      let isAnswered = waiting.contains { message in
        ["/reply", "/error", "/synced"].contains(message.path)
          && (message.arguments.first?.text == asked || message.path == "/synced")
      }
      if asked != nil, isAnswered { end = Swift.min(end, .now + .milliseconds(60)) }
    }
  }
}

extension OSCMessage {
  /// The message for a person: cleaned, one line.
  var line: String { printable(description, limit: 10_000) }

  /// The message as a line of JSON.
  var jsonLine: String {
    let values: [Any] = arguments.map { value in
      switch value {
      case .string(let text): text
      case .int(let number): Int(number)
      case .int64(let number): Int(number)
      case .bool(let flag): flag
      default: value.number.flatMap { $0.isFinite ? $0 : nil } ?? NSNull()
      }
    }
    let data = try? JSONSerialization.data(
      withJSONObject: ["address": path, "arguments": values],
      options: [.sortedKeys, .withoutEscapingSlashes])
    return String(decoding: data ?? Data(), as: UTF8.self)
  }
}
