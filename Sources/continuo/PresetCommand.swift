// `continuo preset`: bundles of knobs listed, described, checked, packed, installed, removed and made.

import ArgumentParser
import Engine
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

struct PresetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "preset",
    abstract: "Lists, checks, packs and installs bundles of knobs, and makes control surfaces.",
    subcommands: [
      PresetListCommand.self, PresetInfoCommand.self, PresetVerifyCommand.self,
      PresetPackCommand.self, PresetInstallCommand.self, PresetRemoveCommand.self,
      PresetNewCommand.self, PresetSurfaceCommand.self,
    ])
}

/// The model that bundles are compared with.
struct PresetModelOption: ParsableArguments {
  @Option(help: "Say whether it fits this model: a name or a folder.") var model: String?

  /// Who the model is; nil when none was named.
  func identity() throws -> ModelIdentity? {
    guard let model else { return nil }
    let location = try ModelLocation.find(model, shipped: HouseModel.resources)
    return try ModelIdentity(
      name: location.name, config: MusicGenConfig(folder: location.folder).decoder,
      folder: location.folder)
  }
}

/// One bundle as the commands print it.
struct PresetReport: Encodable {
  struct Trait: Encodable {
    var id: String
    var label: String
    var ends: [String]
    var alpha: Float
    var period: Int
    var method: String
    var direction: String
    /// Held-out accuracy of the best head, 0 … 1.
    var bestAccuracy: Float
  }
  var place: String
  var id: String?
  var version: String?
  var name: String?
  var authors: [String]?
  var licence: String?
  var description: String?
  var model: String?
  var fingerprint: String?
  var digest: String?
  var traits: [Trait]?
  /// "same", "same dimensions" or "other dimensions".
  var fit: String?
  var warnings: [String] = []
  var shadowedBy: String?
  var error: String?

  init(place: String, error: any Error) {
    self.place = printable(place, limit: 4096)
    self.error = explanation(of: error)
  }

  init(_ bundle: PresetBundle, place: String, for identity: ModelIdentity?) {
    let manifest = bundle.manifest
    self.place = printable(place, limit: 4096)
    id = manifest.id
    version = manifest.version
    name = printable(manifest.name)
    authors = manifest.authors.map { printable($0) }
    licence = printable(manifest.licence)
    description = printable(manifest.description, limit: 20_000)
    model = printable(manifest.model.summary)
    fingerprint = manifest.model.fingerprint
    digest = bundle.files.digest
    warnings = bundle.warnings.map(\.description)
    traits = manifest.traits.map { trait in
      Trait(
        id: trait.id, label: printable(trait.label), ends: trait.ends.map { printable($0) },
        alpha: trait.defaults.alpha, period: trait.defaults.period,
        method: trait.defaults.method.rawValue, direction: trait.defaults.direction.rawValue,
        bestAccuracy: bundle.probes[trait.id]?.accuracyTest.max() ?? 0)
    }
    guard let identity else { return }
    do {
      switch try bundle.compatibility(with: identity) {
      case .same: fit = "same"
      case .sameDimensions(let warning):
        fit = "same dimensions"
        warnings.append(warning.description)
      }
    } catch {
      fit = "other dimensions"
      self.error = explanation(of: error)
    }
  }

  /// Several lines for a person.
  var text: String {
    var lines: [String] = []
    if let id, let version, let name {
      lines.append("\(id)@\(version)  \(name)")
      lines.append("  place        \(place)")
      let people = (authors ?? []).joined(separator: ", ")
      lines.append("  by           \(people.isEmpty ? "unknown" : people)")
      lines.append("  licence      \((licence ?? "").isEmpty ? "none named" : licence ?? "")")
      lines.append("  model        \(model ?? "")")
      if let fit { lines.append("  fits         \(fit)") }
      lines.append("  contents     \(digest?.prefix(16) ?? "")")
      for trait in traits ?? [] {
        lines.append(
          "  knob         \(id)/\(trait.id)  “\(trait.label)”  \(trait.ends.joined(separator: " … "))  "
            + "\(trait.method), alpha \(trait.alpha), every \(trait.period) steps, direction \(trait.direction), best head "
            + String(format: "%.1f %%", trait.bestAccuracy * 100))
      }
      if let description, !description.isEmpty { lines.append("  \(description)") }
    } else {
      lines.append(place)
    }
    for warning in warnings { lines.append("  warning: \(warning)") }
    if let error { lines.append("  error: \(error)") }
    return lines.joined(separator: "\n")
  }
}

struct PresetListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "All bundles, with those that others hide.",
    discussion: """
      Searched are $CONTINUO_PRESET_PATH, $XDG_DATA_HOME/continuo/presets, $XDG_DATA_DIRS/…/continuo/presets \
      and the repository's Presets. An earlier folder hides a later one; in one folder the highest \
      version wins.

      Example: continuo preset list --model house
      """)

  @OptionGroup var against: PresetModelOption
  @Flag(help: "The list as JSON.") var json = false

  func run() throws {
    let identity = try against.identity()
    let library = PresetLibrary()
    let reports = library.list().map { found -> PresetReport in
      switch found.bundle {
      case .failure(let error): return PresetReport(place: found.url.path, error: error)
      case .success(let bundle):
        var report = PresetReport(bundle, place: found.url.path, for: identity)
        report.shadowedBy = found.shadowedBy.map { printable($0.path, limit: 4096) }
        return report
      }
    }
    if json { return try printJSON(reports) }
    guard !reports.isEmpty else {
      print("no bundles in \(library.folders.map(\.path).joined(separator: ", "))")
      return
    }
    for report in reports {
      guard let id = report.id, let version = report.version else {
        print("\(report.place)\n  unusable: \(report.error ?? "")")
        continue
      }
      let knobs = (report.traits ?? []).map(\.id).joined(separator: ", ")
      let hidden = report.shadowedBy.map { "  (hidden by \($0))" } ?? ""
      print("\(id)@\(version)  \(report.name ?? "")  [\(knobs)]\(hidden)\n  \(report.place)")
      for warning in report.warnings { print("  warning: \(warning)") }
      if let error = report.error { print("  error: \(error)") }
    }
  }
}

struct PresetInfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "What a bundle holds and whether it fits a model.",
    discussion: "Example: continuo preset info drums.continuo --model house")

  @ArgumentParser.Argument(help: "A file, a folder, ID or ID@VERSION.") var bundle: String
  @OptionGroup var against: PresetModelOption
  @Flag(help: "As JSON.") var json = false

  func run() throws {
    let found = try PresetLibrary().find(bundle)
    let report = PresetReport(found, place: found.place, for: try against.identity())
    if json { try printJSON(report) } else { print(report.text) }
  }
}

struct PresetVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Checks a bundle by every rule; writes nothing.",
    discussion: """
      Ends with status 0 when the bundle may be used (warnings are printed), 65 when it is refused.

      Example: continuo preset verify stranger.continuo --model house
      """)

  @ArgumentParser.Argument(help: "A file, a folder, ID or ID@VERSION.") var bundle: String
  @OptionGroup var against: PresetModelOption

  func run() throws {
    let found = try PresetLibrary().find(bundle)
    var warnings = found.warnings.map(\.description)
    if let identity = try against.identity(),
      case .sameDimensions(let warning) = try found.compatibility(with: identity)
    {
      warnings.append(warning.description)
    }
    for warning in warnings { print("warning: \(warning)") }
    print("\(found.name): \(warnings.isEmpty ? "good" : "usable"), \(found.files.digest)")
  }
}

struct PresetPackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack", abstract: "Makes the zip that others can install.",
    discussion: """
      The same files give the same bytes on every machine.

      Example: continuo preset pack my-drums --out my-drums.continuo
      """)

  @ArgumentParser.Argument(help: "A bundle's folder.") var folder: String
  @Option(help: "The file to write; default: ID@VERSION.continuo here.") var out: String?

  func run() throws {
    let bundle = try PresetBundle(at: URL(fileURLWithPath: folder))
    let place = URL(fileURLWithPath: out ?? "\(bundle.name).continuo")
    try AtomicFile.write(bundle.archive, to: place)
    print(place.path)
  }
}

struct PresetInstallCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install", abstract: "Checks a bundle and puts it where everything finds it.",
    discussion: """
      Several versions of one bundle can be installed side by side. Only one file is written, by a rename, \
      into $XDG_DATA_HOME/continuo/presets.

      Example: continuo preset install drums.continuo
      """)

  @ArgumentParser.Argument(help: "A file or a folder.") var bundle: String

  func run() throws {
    let installed = try PresetLibrary().install(URL(fileURLWithPath: bundle))
    for warning in installed.bundle.warnings { print("warning: \(warning)") }
    print("\(installed.bundle.name) → \(installed.file.path)")
  }
}

struct PresetRemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Removes an installed bundle.",
    discussion: "Example: continuo preset remove org.example.drums@1.0.0")

  @ArgumentParser.Argument(help: "ID (the version that wins) or ID@VERSION.") var bundle: String

  func run() throws {
    let library = PresetLibrary()
    let gone = try library.remove(bundle)
    print("removed \(gone.path)")
    let id = String(bundle.split(separator: "@").first ?? "")
    if let next = try? library.find(id) { print("\(next.name) is used from now on") }
  }
}

struct PresetNewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new", abstract: "Makes a bundle of knobs that were trained before.",
    discussion: """
      All sources must be made for the same model. Names, authors and licence are those of the first \
      source where an option does not say otherwise.

      --card writes a README.md with the figures of the probes, --preview-seconds renders a preview.flac. \
      --alpha, --period and --direction give all knobs another dose; without them each keeps its own.

      Example: continuo preset new band.continuo --id org.example.band --name Band \\
                 --from drums --from bass --author "Ann Example" --licence CC-BY-4.0 --preview-seconds 6 --card
      """)

  @ArgumentParser.Argument(help: "The folder or .continuo file to write.") var out: String
  @Option(help: "Reverse domain name.") var id: String
  @Option(help: "Name.") var name: String
  @Option(help: "Version, three numbers.") var version = "1.0.0"
  @Option(help: "A bundle, or BUNDLE/TRAIT for one of its knobs; may be repeated.")
  var from: [String]
  @Option(help: "An author; may be repeated.") var author: [String] = []
  @Option(help: "Licence, an SPDX identifier.") var licence: String?
  @Option(help: "What it does.") var description: String?
  @Option(help: "A tag; may be repeated.") var tag: [String] = []
  @Option(help: "README.md to put in.") var readme: String?
  @Option(help: "preview.flac or preview.ogg to put in.") var preview: String?
  @OptionGroup var strength: KnobDoseOptions
  @OptionGroup var shipping: ShippingOptions
  @Option(help: "The model that renders the preview: a name or a folder.") var model = "house"
  @Option(help: "Compute threads for the preview.") var threads: Int?

  func run() throws {
    guard !from.isEmpty else { throw ValidationError("give at least one --from BUNDLE") }
    try strength.check()
    var manifest: PresetManifest?
    var probes: [String: ProbeSet] = [:]
    for source in from {
      let (bundle, traits) = try traits(of: source)
      var made =
        manifest
        ?? PresetManifest(
          id: id, name: name, version: version, model: bundle.manifest.model, traits: [])
      if manifest == nil {
        made.authors = author.isEmpty ? bundle.manifest.authors : author
        made.licence = licence ?? bundle.manifest.licence
        made.description = description ?? bundle.manifest.description
        made.tags = tag.isEmpty ? bundle.manifest.tags : tag
      }
      guard made.model.fingerprint == bundle.manifest.model.fingerprint else {
        throw PresetError.otherDimensions(
          bundle: source, made: bundle.manifest.model.summary, model: made.model.summary)
      }
      for var trait in traits {
        probes[trait.id] = bundle.probes[trait.id]
        trait.tensors = trait.id
        strength.change(&trait.defaults)
        made.traits.append(trait)
      }
      manifest = made
    }
    guard let manifest else { return }
    var extras: [String: Data] = [:]
    if preview != nil, shipping.previewSeconds != nil {
      throw CommandError.clash(what: "--preview and --preview-seconds", remedy: "give one of them")
    }
    if readme != nil, shipping.card {
      throw CommandError.clash(what: "--readme and --card", remedy: "give one of them")
    }
    if let readme { extras["README.md"] = try ShippingOptions.contents(readme) }
    if let preview {
      extras[preview.hasSuffix(".ogg") ? "preview.ogg" : "preview.flac"] =
        try ShippingOptions.contents(preview)
    }
    let bundle = try shipping.complete(
      PresetBundle(manifest: manifest, probes: probes, extras: extras, place: out), seed: 1
    ) {
      let place = try ModelLocation.find(model, shipped: HouseModel.resources)
      let cores = min(ProcessInfo.processInfo.activeProcessorCount, 8)
      return (
        try MusicGen(folder: place.folder), ComputePool(threads: min(max(threads ?? cores, 1), 256))
      )
    }
    try bundle.write(to: URL(fileURLWithPath: out))
    for warning in bundle.warnings { print("warning: \(warning)") }
    print("\(bundle.name) → \(out)")
  }

  private func traits(of source: String) throws -> (PresetBundle, [PresetTrait]) {
    if let bundle = try? PresetLibrary().find(source) { return (bundle, bundle.manifest.traits) }
    if let slash = source.lastIndex(of: "/") {
      let trait = String(source[source.index(after: slash)...])
      if let bundle = try? PresetLibrary().find(String(source[..<slash])) {
        guard let found = bundle.trait(trait) else {
          throw PresetError.unknownTrait(name: source, known: bundle.manifest.traits.map(\.id))
        }
        return (bundle, [found])
      }
    }
    let bundle = try PresetLibrary().find(source)
    return (bundle, bundle.manifest.traits)
  }
}
