// A PipeWire of its own for one test, without hardware, D-Bus or a session manager.

import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// Runs `pipewire` in a folder of its own until `stop`. The tests' process never speaks to it: that would put
/// two kinds of libjack into one process. Programs that are to reach it are started with `environment`.
package final class PipeWireServer {
  /// Where PipeWire's parts lie: installed, or unpacked below `$CONTINUO_PIPEWIRE`.
  private struct Parts {
    var programs: URL
    var libraries: URL
    var configuration: URL

    static let found: Parts? = {
      let root = ProcessInfo.processInfo.environment["CONTINUO_PIPEWIRE"] ?? ""
      let usr = URL(fileURLWithPath: root + "/usr")
      let manager = FileManager.default
      let lib = usr.appendingPathComponent("lib")
      let names = (try? manager.contentsOfDirectory(atPath: lib.path)) ?? []
      let folders = names.sorted().map { lib.appendingPathComponent($0) }
      guard
        manager.isExecutableFile(atPath: usr.appendingPathComponent("bin/pipewire").path),
        let libraries = folders.first(where: {
          manager.fileExists(atPath: $0.appendingPathComponent("pipewire-0.3/jack").path)
        })
      else { return nil }
      return Parts(
        programs: usr.appendingPathComponent("bin"), libraries: libraries,
        configuration: usr.appendingPathComponent("share/pipewire"))
    }()
  }

  /// Whether it can run here.
  package static var isInstalled: Bool { Parts.found != nil }
  /// What its clients call it.
  package let name = "pipewire-0"
  private let folder: TemporaryFolder
  private let parts: Parts
  private var process: Process?

  /// Starts it; nil when it is not installed.
  package init?() throws {
    guard let parts = Parts.found else { return nil }
    self.parts = parts
    folder = try TemporaryFolder()
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.url.path)
    try start()
  }

  /// What a client's environment needs: its own libjack first, and where the server is.
  package var environment: [String: String] {
    let jack = parts.libraries.appendingPathComponent("pipewire-0.3/jack").path
    return [
      "LD_LIBRARY_PATH": "\(jack):\(parts.libraries.path)",
      "PIPEWIRE_MODULE_DIR": parts.libraries.appendingPathComponent("pipewire-0.3").path,
      "SPA_PLUGIN_DIR": parts.libraries.appendingPathComponent("spa-0.2").path,
      "PIPEWIRE_CONFIG_DIR": parts.configuration.path,
      "XDG_RUNTIME_DIR": folder.url.path,
    ]
  }

  /// Starts it again.
  package func start() throws {
    let process = Process()
    process.executableURL = parts.programs.appendingPathComponent("pipewire")
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    self.process = process
    let socket = folder.file(name).path
    for _ in 0..<100 where !FileManager.default.fileExists(atPath: socket) { usleep(20_000) }
  }

  /// Kills it with -9.
  package func kill() {
    guard let process else { return }
    _ = Glibc.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    self.process = nil
  }

  /// Ends it in order.
  package func stop() {
    process?.terminate()
    process?.waitUntilExit()
    process = nil
  }

  deinit { stop() }

  /// Sets a value of its clock, such as `clock.force-quantum`; 0 gives it back.
  package func set(_ key: String, _ value: Int) throws {
    _ = try run(
      parts.programs.appendingPathComponent("pw-metadata"),
      ["-n", "settings", "0", key, "\(value)"])
  }

  /// Connects two ports by their full names.
  package func connect(_ from: String, _ to: String) throws {
    _ = try run(URL(fileURLWithPath: "/usr/bin/jack_connect"), [from, to])
  }

  /// The connections of a port, a full name.
  package func peers(of port: String) throws -> [String] {
    try run(URL(fileURLWithPath: "/usr/bin/jack_lsp"), ["-c", port]).split(separator: "\n")
      .filter { $0.hasPrefix(" ") }.map { $0.trimmingCharacters(in: .whitespaces) }
  }

  private func run(_ program: URL, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
  }
}
