// `continuo model list` and `continuo model info`.

import ArgumentParser
import Foundation
import HouseModel
import Models
import Reporting

struct ModelListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists the models that have a name.",
    discussion: """
      Shipped models first, then those installed under continuo/models in the XDG data folders. \
      Any other folder in the Hugging Face MusicGen layout can be named by its path.

      Example: continuo model list
      """)

  @Flag(help: "Results as JSON.") var json = false

  private struct Row: Encodable { var name, origin, folder, licence: String }

  func run() throws {
    let rows = ModelLocation.all(shipped: HouseModel.resources).map { location in
      Row(
        name: printable(location.name), origin: location.origin.rawValue,
        folder: printable(location.folder.path),
        licence: printable(ModelDescription.licence(folder: location.folder)))
    }
    if json {
      try printJSON(rows)
    } else {
      for row in rows { print("\(row.name)\t\(row.origin)\t\(row.licence)\t\(row.folder)") }
    }
  }
}

struct ModelInfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Says what a model is: shape, size, licence, fingerprint.",
    discussion: "Example: continuo model info house")

  @Argument(help: "A model's name or folder.") var model = "house"
  @Flag(help: "Results as JSON.") var json = false

  func run() throws {
    let location = try ModelLocation.find(model, shipped: HouseModel.resources)
    let description = ModelDescription(try MusicGen(folder: location.folder))
    guard !json else { return try printJSON(description) }
    func row(_ name: String, _ value: String) {
      print(name.padding(toLength: 14, withPad: " ", startingAt: 0) + printable(value))
    }
    func millions(_ count: Int) -> String { String(format: "%.1f M", Double(count) / 1e6) }
    row("folder", description.folder)
    row("family", description.family)
    row(
      "decoder",
      """
      \(description.layers) layers, \(description.heads) heads of \(description.headDimension), \
      feed-forward \(description.feedForward), \(millions(description.decoderParameters)) parameters
      """)
    row(
      "codes",
      """
      \(description.codebooks) codebooks of \(description.cardinality), \
      \(description.stepsPerSecond) steps/s, \(description.audioChannels) channel(s) at \
      \(description.sampleRate) Hz
      """)
    row("text encoder", "\(millions(description.textParameters)) parameters")
    row("codec", "\(millions(description.codecParameters)) parameters")
    row("stored", "\(description.bytes) bytes, \(description.types)")
    row("licence", description.licence)
    row("fingerprint", description.fingerprint)
  }
}
