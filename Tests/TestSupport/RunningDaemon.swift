// The real daemon, beside the tests: its own folders, its own OSC port, a JACK server of the test's.

package import Engine
import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// Runs `continuod` until `stop`.
package final class RunningDaemon {
  /// Its OSC port.
  package let port: UInt16
  /// Its JACK client name.
  package let jackName: String
  /// Its home: configuration, data, cache, and `log`.
  package let folder: TemporaryFolder
  private let process: Process

  /// Starts the daemon and waits until it has bound its OSC port.
  /// - Parameters:
  ///   - server: name of the JACK server.
  ///   - arguments: added to the command line.
  ///   - folder: a home to use again; nil makes one.
  ///   - environment: added to the present one.
  ///   - launcher: a program and its arguments that start the daemon, as `/bin/sh -c …` does; none starts it directly.
  /// Returns nil when it ended or said nothing for 30 s.
  package init?(
    server: String, _ arguments: [String] = [], folder: TemporaryFolder? = nil,
    environment: [String: String] = [:], launcher: [String] = []
  ) throws {
    let home = try folder ?? TemporaryFolder()
    self.folder = home
    jackName = "c\(UInt32.random(in: 0...UInt32.max))"
    let process = Process()
    let program = builtProducts.appendingPathComponent("continuod")
    process.executableURL = launcher.first.map { URL(fileURLWithPath: $0) } ?? program
    process.arguments =
      (launcher.isEmpty ? [] : launcher.dropFirst() + [program.path])
      + ["--jack-server", server, "--jack-name", jackName, "--osc-port", "0"] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging([
      "XDG_CONFIG_HOME": home.url.appendingPathComponent("config").path,
      "XDG_DATA_HOME": home.url.appendingPathComponent("data").path,
      "XDG_CACHE_HOME": home.url.appendingPathComponent("cache").path,
      "XDG_STATE_HOME": home.url.appendingPathComponent("state").path,
    ]) { $1 }.merging(environment) { $1 }
    let log = home.file("log")
    try Data().write(to: log)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = try FileHandle(forWritingTo: log)
    try process.run()
    self.process = process
    let marker = "OSC on UDP 127.0.0.1:"
    for _ in 0..<600 where process.isRunning {
      let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
      if let range = text.range(of: marker),
        let number = UInt16(text[range.upperBound...].prefix { $0.isNumber })
      {
        port = number
        return
      }
      usleep(50_000)
    }
    process.terminate()
    return nil
  }

  /// What it has logged.
  package var log: String { (try? String(contentsOf: folder.file("log"), encoding: .utf8)) ?? "" }

  package var isRunning: Bool { process.isRunning }
  package var processIdentifier: Int32 { process.processIdentifier }

  /// Waits until the log holds `text`; false after `seconds`.
  package func waits(for text: String, seconds: Double = 30) -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      if log.contains(text) { return true }
      usleep(20_000)
    }
    return false
  }

  /// What `/status` says.
  package struct Status {
    package var state = ""
    package var hasServer = false
    /// Seconds of music ahead of the play head.
    package var ready = 0.0
    package var underruns = 0
    /// Periods that the sound server itself missed.
    package var xruns = 0
  }

  /// Asks for the status until it is as wanted.
  /// - Returns: seconds until then, and the longest time without an answer; nil after `limit` seconds.
  package func wait(
    limit: Double, asking socket: OSCServer, until isWanted: (Status) -> Bool
  ) -> (seconds: Double, silence: Double, status: Status)? {
    let began = ContinuousClock.now
    var heard = began
    var silence = 0.0
    while (ContinuousClock.now - began) / .seconds(1) < limit {
      socket.send(OSCMessage("/status"), to: OSCPeer(host: "127.0.0.1", port: port))
      usleep(20_000)
      for message in socket.receive().flatMap(\.messages)
      where message.path == "/reply" && message.arguments.first?.text == "/status" {
        let now = ContinuousClock.now
        silence = max(silence, (now - heard) / .seconds(1))
        heard = now
        let status = Status(
          state: message.arguments[1].text ?? "", hasServer: message.arguments[3].number == 1,
          ready: message.arguments[8].number ?? 0,
          underruns: Int(message.arguments[7].number ?? 0),
          xruns: Int(message.arguments[6].number ?? 0))
        if isWanted(status) { return ((now - began) / .seconds(1), silence, status) }
      }
    }
    return nil
  }

  /// Waits until its JACK client runs; false after 30 s.
  package func waitsForJACK() -> Bool {
    guard let socket = try? OSCServer(port: 0) else { return false }
    for _ in 0..<300 {
      socket.send(OSCMessage("/status"), to: OSCPeer(host: "127.0.0.1", port: port))
      usleep(100_000)
      let answers = socket.receive().flatMap(\.messages)
      // "/reply" "/status" state, model, whether JACK runs …
      if answers.contains(where: { $0.arguments.count > 3 && $0.arguments[3].number == 1 }) {
        return true
      }
    }
    return false
  }

  /// Ends it in order.
  /// - Returns: its exit status.
  @discardableResult
  package func stop() -> Int32 {
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
    return process.terminationStatus
  }

  /// Kills it with -9.
  package func kill() {
    _ = Glibc.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  deinit { stop() }
}
