// A real JACK server without hardware, under a name of its own, for one test.

import Dispatch
import Engine
import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// libjack knows one server per process: two tests that talk to two of them at once crash in it.
private let libraryInUse = DispatchSemaphore(value: 1)

/// Runs `jackd -d dummy` until `stop`. While one lives, no other begins: its init waits.
package final class JackServer {
  private var isHolding = true

  /// Runs `body`, which talks to libjack, while no server of a test is there.
  package static func withoutServers<Result>(_ body: () throws -> Result) rethrows -> Result {
    libraryInUse.wait()
    defer { libraryInUse.signal() }
    return try body()
  }

  /// The server's name, for `JackServerName` and `JACK_DEFAULT_SERVER`.
  package let name: String
  private var rate: Int
  private let period: Int
  private let isPatient: Bool
  private var process: Process?

  /// Whether jackd is installed here.
  package static var isInstalled: Bool {
    FileManager.default.isExecutableFile(atPath: "/usr/bin/jackd")
  }

  /// Starts a server with `period` frames at `rate` and waits until it answers.
  /// - Parameter isPatient: whether a period ends only when every client has done its part (`-S`, with a
  ///   second for each): on a busy machine nothing that one client wrote is lost before another has read it.
  ///   For tests of what goes over, not of when.
  package init(rate: Int = 48000, period: Int = 256, isPatient: Bool = false) {
    name = "continuo-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    self.rate = rate
    self.period = period
    self.isPatient = isPatient
    libraryInUse.wait()
    start()
  }

  /// Starts the server again under the same name.
  package func start() {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/jackd")
    process.arguments =
      ["-n", name] + (isPatient ? ["-S", "-t", "1000"] : [])
      + ["-d", "dummy", "-r", "\(rate)", "-p", "\(period)"]
    var environment = ProcessInfo.processInfo.environment
    environment["JACK_NO_AUDIO_RESERVATION"] = "1"
    process.environment = environment
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try? process.run()
    self.process = process
    usleep(300_000)
  }

  /// Waits until the server takes clients; false after 20 s.
  package func waits() -> Bool {
    for _ in 0..<200 {
      if SoundServer.running(name: name) != nil { return true }
      usleep(100_000)
    }
    return false
  }

  /// Ends the server in order and starts it again with another rate.
  package func restart(rate: Int) {
    process?.terminate()
    process?.waitUntilExit()
    self.rate = rate
    start()
  }

  /// The connections of a port, a full name, as `jack_lsp` tells them.
  package func peers(of port: String) throws -> [String] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/jack_lsp")
    process.arguments = ["-s", name, "-c", port]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self).split(separator: "\n")
      .filter { $0.hasPrefix(" ") }.map { $0.trimmingCharacters(in: .whitespaces) }
  }

  /// Kills the server with -9, without a goodbye to its clients.
  package func kill() {
    guard let process else { return }
    _ = Glibc.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    self.process = nil
  }

  /// Freezes the server: it takes connections (the kernel does) and answers nobody.
  package func freeze() {
    if let process { _ = Glibc.kill(process.processIdentifier, SIGSTOP) }
  }

  /// Lets a frozen server go on.
  package func thaw() {
    if let process { _ = Glibc.kill(process.processIdentifier, SIGCONT) }
  }

  /// Ends the server in order.
  package func stop() {
    thaw()
    if let process {
      process.terminate()
      process.waitUntilExit()
      self.process = nil
    }
    if isHolding { libraryInUse.signal() }
    isHolding = false
  }

  deinit { stop() }
}
