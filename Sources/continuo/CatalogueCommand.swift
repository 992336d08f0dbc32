// `continuo catalogue`: the training catalogue that credit goes to.

import ArgumentParser
import Attribution
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

struct CatalogueCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "catalogue", abstract: "Describes and builds training catalogues.",
    subcommands: [CatalogueInfoCommand.self, CatalogueBuildCommand.self])
}

struct CatalogueInfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Says what a catalogue holds.",
    discussion: """
      A catalogue is a folder with catalogue.json and codes.safetensors or latents.safetensors, or a \
      folder of pre-encoded *.npy and *.json of stable-audio-tools.

      Example: continuo catalogue info Tracks
      """)

  @Argument(help: "The catalogue's folder.") var folder: String
  @Flag(help: "As JSON.") var json = false
  @Flag(help: "Every track.") var tracks = false

  func run() throws {
    let catalogue = try Catalogue(folder: URL(fileURLWithPath: folder))
    let seconds = catalogue.tracks.map(\.seconds).reduce(0, +)
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      print(
        String(
          decoding: try encoder.encode(
            Summary(
              name: catalogue.name, kind: catalogue.kind, fingerprint: try catalogue.fingerprint(),
              count: catalogue.tracks.count, seconds: seconds,
              tracks: tracks ? catalogue.tracks : nil)), as: UTF8.self))
      return
    }
    print(
      "\(printable(catalogue.name)): \(catalogue.tracks.count) tracks, \(catalogue.kind.rawValue)")
    print(String(format: "%.1f hours of music", seconds / 3600))
    let licences = Dictionary(grouping: catalogue.tracks, by: \.licence)
    for (licence, group) in licences.sorted(by: { $0.value.count > $1.value.count }).prefix(10) {
      print("  \(licence.isEmpty ? "no licence given" : licence): \(group.count)")
    }
    print("fingerprint \(try catalogue.fingerprint())")
    guard tracks else { return }
    for track in catalogue.tracks {
      print("\(printable(track.id))  \(track.title)  \(track.artist)  \(track.licence)")
    }
  }

  private struct Summary: Encodable {
    let name: String
    let kind: Catalogue.Kind
    let fingerprint: String
    let count: Int
    let seconds: Double
    let tracks: [CatalogueTrack]?
  }
}

struct CatalogueBuildCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "build", abstract: "Makes a catalogue from a folder of sound files.",
    discussion: """
      Every file goes through the model's codec. NAME.json beside NAME.wav may give title, artist, \
      licence and tags.

      Example: continuo catalogue build Tracks --model house
      """)

  @Argument(help: "The folder of sound files.") var folder: String
  @Option(help: "A model's name, or the path of its folder.") var model = "house"
  @Option(help: "The catalogue's folder; default: the folder of sound files.") var out: String?
  @Option(help: "The catalogue's name; default: the folder's.") var name: String?
  @Option(parsing: .unconditional, help: "Compute threads.") var threads = 2

  func run() throws {
    let location = try ModelLocation.find(model, shipped: HouseModel.resources)
    let source = URL(fileURLWithPath: folder)
    let builder = CatalogueBuilder(
      model: try AskedModel(folder: location.folder, name: location.name),
      pool: ComputePool(threads: min(max(threads, 1), 64)))
    let watch = InterruptWatch()
    var bar: ProgressBar?
    let result = try builder.build(
      source, name: name ?? source.lastPathComponent,
      into: out.map { URL(fileURLWithPath: $0) } ?? source
    ) { done, all in
      if watch.isInterrupted { throw CommandError.interrupted(output: out ?? folder) }
      if bar == nil { bar = ProgressBar("encoding", total: Double(all)) }
      bar?.show(Double(done), note: "\(done) of \(all)")
    }
    bar?.finish()
    print("\(result.tracks) tracks")
    for (file, reason) in result.refused { print("left out: \(printable(file)): \(reason)") }
  }
}
