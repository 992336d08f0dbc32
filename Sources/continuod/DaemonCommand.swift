// The daemon's command line.

import ArgumentParser
import Engine
import Foundation
import Kernels
import Reporting

extension WeightFormat: ExpressibleByArgument {}

struct DaemonCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "continuod",
    abstract: "Listens to a JACK port, goes on playing by itself, and obeys OSC and MIDI.",
    discussion: """
      Ports: in_1, out_1, out_2, midi_in, midi_out. Open Sound Control on UDP port 9770 of this machine \
      only; continuo send and continuo watch speak it, /tree lists it.

      Examples:
        continuod --connect system
        continuod --model house --bundle drums --record takes
        continuo send /transport/continue
        continuo send /knob/drums/strength 1
      """,
    version: "0.1.0")

  @Option(help: "A model's name, or the path of its folder (default: house).") var model: String?
  @Option(help: "A bundle to load: a file, a folder, ID or ID@VERSION; repeated.")
  var bundle: [String] = []
  @Option(name: .customLong("osc-port"), help: "UDP port for OSC; 0 takes any (default: 9770).")
  var oscPort: Int?
  @Option(
    name: .customLong("osc-bind"),
    help: "Address to listen on; anything but 127.0.0.1 lets the network in (default: 127.0.0.1).")
  var oscBind: String?
  @Option(name: .customLong("jack-name"), help: "Name of the JACK client (default: continuo).")
  var jackName: String?
  @Option(
    name: .customLong("jack-server"), help: "Name of the JACK server (default: the usual one).")
  var jackServer: String?
  @Option(help: "system connects to the sound card's ports, none to nothing (default: none).")
  var connect: String?
  @Option(help: "A configuration file; options given here win.") var config: String?
  @Option(help: "A folder: every continuation is kept there as a take.") var record: String?
  @Option(
    help:
      "The training catalogue of the model, for /attribution/start (default: the shipped model's, or the user's own for this model)."
  )
  var catalogue: String?
  @Option(help: "How weights are kept in memory: f32, bf16, int8 or int4 (default: int8).")
  var weights: WeightFormat?
  @Option(help: "Compute threads; 0 for one per core, at most 8 (default: 0).") var threads: Int?
  @Flag(name: .customLong("allow-quit"), help: "Lets /quit end the daemon.") var allowQuit = false

  func run() throws {
    do {
      try Daemon(settings()).run()
    } catch let error as any Explained {
      FileHandle.standardError.write(Data("continuod: error: \(explanation(of: error))\n".utf8))
      throw ExitCode(error.kind.rawValue)
    }
  }

  /// The configuration file, and over it what was given here.
  private func settings() throws -> Configuration {
    var result = Configuration()
    if let config { result = try Configuration(contentsOf: URL(fileURLWithPath: config)) }
    if let model { result.model = model }
    result.bundles += bundle
    if let oscPort { result.oscPort = oscPort }
    if let oscBind { result.oscBind = oscBind }
    if let jackName { result.jackName = jackName }
    if let jackServer { result.jackServer = jackServer }
    if let connect { result.connect = connect }
    if let record { result.record = record }
    if let catalogue { result.catalogue = catalogue }
    if let weights { result.weights = weights }
    if let threads { result.threads = threads }
    if allowQuit { result.allowsQuit = true }
    return result
  }
}
