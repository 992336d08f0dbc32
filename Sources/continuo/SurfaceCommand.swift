// `continuo preset surface`: a page of knobs, meters and buttons for the programs and the hardware that people play with.

import ArgumentParser
import Engine
import Foundation
import Reporting

struct PresetSurfaceCommand: ParsableCommand {
  /// What the surface is written for.
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case openStageControl = "open-stage-control"
    case touchOSC = "touchosc"
    case midi

    /// Where it goes when nobody says.
    var file: String {
      switch self {
      case .openStageControl: "continuo.json"
      case .touchOSC: "continuo.tosc"
      case .midi: "midi.json"
      }
    }
  }

  static let configuration = CommandConfiguration(
    commandName: "surface", abstract: "Makes a control surface with the knobs of bundles.",
    discussion: """
      Knobs go on slots 1 to 8 in the order in which continuod --bundle puts them there; touching a knob's \
      name puts its trait on its slot. Without bundles all that are installed are taken.

      open-stage-control is a session: open-stage-control --load continuo.json. touchosc is a layout; give it \
      a connection to the daemon's port, receiving on --receive-port. midi is the daemon's map for a \
      controller with eight knobs: put it where the command says and start the daemon again, or let knobs \
      be learned by /midi/learn.

      Examples:
        continuo preset surface
        continuo preset surface --format touchosc --out stage.tosc drums piano
        continuo preset surface --format midi --first-controller 16 --out midi.json
      """)

  @ArgumentParser.Argument(help: "Files, folders, IDs or ID@VERSION; default: all installed.")
  var bundles: [String] = []
  @Option(help: "\(Format.allCases.map(\.rawValue).joined(separator: ", ")).")
  var format = Format.openStageControl
  @Option(help: "The file to write; default: continuo.json, continuo.tosc or midi.json here.")
  var out: String?
  @Option(help: "Where the daemon listens, for open-stage-control.") var host = "127.0.0.1"
  @Option(help: "The daemon's OSC port, for open-stage-control.") var port: UInt16 = 9770
  @Option(
    name: .customLong("receive-port"), help: "The port that TouchOSC listens on.")
  var receivePort: UInt16 = 9000
  @Option(help: "MIDI channel, 1 to 16.") var channel = 1
  @Option(
    name: .customLong("first-controller"),
    help: "Control change of the first knob, 0 to 112; the others follow it.")
  var firstController = 70

  func run() throws {
    guard (1...16).contains(channel) else {
      throw CommandError.badValue(option: "--channel", value: "\(channel)", expected: "1 to 16")
    }
    guard (0...112).contains(firstController) else {
      throw CommandError.badValue(
        option: "--first-controller", value: "\(firstController)", expected: "0 to 112")
    }
    guard host.allSatisfy({ $0.isLetter || $0.isNumber || ".-:".contains($0) }), !host.isEmpty
    else {
      throw CommandError.badValue(option: "--host", value: host, expected: "a host name or address")
    }
    let knobs = try chosen().flatMap { bundle in
      bundle.manifest.traits.map { PresetKnob(bundle: bundle, trait: $0) }
    }
    let surface = Surface(knobs: knobs)
    let data =
      switch format {
      case .openStageControl:
        try OpenStageControlSession.data(surface, target: "\(host):\(port)")
      case .touchOSC: try TouchOSCLayout.data(surface, receivePort: Int(receivePort))
      case .midi: surface.midiMap(channel: channel, first: firstController).data
      }
    let place = URL(fileURLWithPath: out ?? format.file)
    try AtomicFile.write(data, to: place)
    print(place.path)
    for (slot, knob) in knobs.prefix(AddressTable.slots).enumerated() {
      print("  \(slot + 1)  \(printable(knob.trait.label))  \(knob.name)")
    }
    if knobs.count > AddressTable.slots {
      let left = knobs.dropFirst(AddressTable.slots).map(\.name).joined(separator: ", ")
      print("left out, since there are \(AddressTable.slots) slots: \(left)")
    }
    if format == .midi { print("the daemon reads it from \(DataFolders().midiMap.path)") }
  }

  private func chosen() throws -> [PresetBundle] {
    let library = PresetLibrary()
    guard bundles.isEmpty else { return try bundles.map { try library.find($0) } }
    return library.list().filter { $0.shadowedBy == nil }.compactMap { try? $0.bundle.get() }
  }
}
