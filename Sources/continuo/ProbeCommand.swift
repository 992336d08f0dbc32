// `continuo probe`: teach a trait, examine a bundle, draw what the heads know.

import ArgumentParser
import Engine
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe", abstract: "Teaches the model's heads to recognise a trait.",
    subcommands: [ProbeTrainCommand.self, ProbeTestCommand.self, ProbePictureCommand.self])
}

/// The model that probes read.
struct ProbeModelOptions: ParsableArguments {
  @Option(help: "A model's name, or the path of its folder.") var model = "house"
  @Option(help: "Compute threads; default: one per core, at most 8.") var threads: Int?
  @Flag(name: .customLong("no-cache"), help: "Neither use nor keep activations of earlier runs.")
  var noCache = false

  struct Loaded {
    var model: MusicGen
    var identity: ModelIdentity
    var pool: ComputePool
    var reader: ProbeReader
  }

  /// The model, its language model's weights in a format; probes are taught on float32.
  func load(weights: WeightFormat = .f32) throws -> Loaded {
    let location = try ModelLocation.find(model, shipped: HouseModel.resources)
    let loaded = try MusicGen(folder: location.folder, weights: weights)
    let identity = try ModelIdentity(
      name: location.name, config: loaded.config.decoder, folder: location.folder)
    let cores = min(ProcessInfo.processInfo.activeProcessorCount, 8)
    let pool = ComputePool(threads: min(max(threads ?? cores, 1), 256))
    let codec = ModelFingerprint.compute(loaded.tensors, prefix: "audio_encoder.")
    return Loaded(
      model: loaded, identity: identity, pool: pool,
      reader: ProbeReader(
        model: loaded.languageModel, fingerprint: identity.fingerprint + codec, pool: pool,
        cache: noCache ? nil : ProbeReader.usualCache()))
  }
}

/// Sounds with and without a trait.
struct ProbeSourceOptions: ParsableArguments {
  @Option(help: "A folder of sound files that have the trait.") var positive: String?
  @Option(help: "A folder of sound files that do not.") var negative: String?
  @Option(help: "A folder of songs, each a folder of stems; with --stem.") var stems: String?
  @Option(help: "Part of the file names of the stems that make the trait.") var stem: String?
  @Option(
    help:
      "A catalogue with codes and activity; house and house-test are the shipped ones. May be repeated."
  )
  var catalogue: [String] = []
  @Option(help: "Songs of each catalogue, at most.") var songs: Int?
  @Option(help: "The group of instruments that makes the trait.") var group: String?
  @Flag(
    name: .customLong("own-output"),
    help: "The trait is “recorded”: negatives are the model's own continuations of the positives.")
  var ownOutput = false
  @Option(name: .customLong("segment-seconds"), help: "Length of a segment.")
  var segmentSeconds = 3.0
  @Option(name: .customLong("per-song"), help: "Most segments of each kind from one song.")
  var perSong = 8

  /// As many items as wanted, evenly spread.
  private func limited(_ items: [ProbeItem]) -> [ProbeItem] {
    songs.map { evenly(items, $0) } ?? items
  }

  /// The items, values 1 and 0.
  func items(_ loaded: ProbeModelOptions.Loaded, seed: UInt64) throws -> [ProbeItem] {
    guard (0.1...29.9).contains(segmentSeconds) else {
      throw CommandError.badValue(
        option: "--segment-seconds", value: "\(segmentSeconds)", expected: "0.1 to 29.9 seconds")
    }
    if let songs, songs < 2 {
      throw CommandError.badValue(option: "--songs", value: "\(songs)", expected: "at least 2")
    }
    guard (1...10_000).contains(perSong) else {
      throw CommandError.badValue(
        option: "--per-song", value: "\(perSong)", expected: "1 to 10000")
    }
    let cutter = SegmentCutter(
      model: loaded.model, seconds: segmentSeconds, perItem: perSong, pool: loaded.pool)
    let config = loaded.model.config.decoder
    let frames = Int((segmentSeconds * Double(loaded.model.stepsPerSecond)).rounded())
    var positives: [ProbeItem] = []
    if let stems {
      guard let stem else {
        throw CommandError.clash(what: "--stems without --stem", remedy: "name the stem")
      }
      return try ProbeMaterial.stems(URL(fileURLWithPath: stems), stem: stem, cutter)
    }
    if !catalogue.isEmpty {
      let catalogues = try catalogue.map { try ActivityCatalogue(named: $0) }
      if let group, !ownOutput {
        return try catalogues.flatMap {
          try limited(
            $0.items(
              group: group, frames: frames, perItem: perSong, codebooks: config.codebooks))
        }
      }
      guard ownOutput else {
        throw CommandError.clash(
          what: "--catalogue without --group", remedy: "name the group, or add --own-output")
      }
      positives = catalogues.flatMap {
        limited($0.items(value: 1, frames: frames, perItem: perSong, codebooks: config.codebooks))
      }
    }
    if let positive {
      positives += try ProbeMaterial.folder(URL(fileURLWithPath: positive), value: 1, cutter)
    }
    guard !positives.isEmpty else {
      throw CommandError.clash(
        what: "nothing to learn from",
        remedy: "give --positive and --negative, --stems and --stem, or --catalogue and --group")
    }
    if ownOutput {
      let own = OwnOutput(
        model: loaded.model.languageModel, frames: frames, perItem: min(perSong, 3), seed: seed,
        pool: loaded.pool)
      let prompts = try positives.compactMap { item in
        try item.segments().first.map { (track: item.track, side: item.side, codes: $0.codes) }
      }
      return positives + own.items(prompts: prompts, key: positives.map(\.key).joined())
    }
    guard let negative else {
      throw CommandError.clash(
        what: "--positive without --negative",
        remedy: "give sounds without the trait, or --own-output")
    }
    return positives
      + (try ProbeMaterial.folder(URL(fileURLWithPath: negative), value: 0, cutter))
  }
}

struct ProbeTestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test", abstract: "Examines a bundle's probes on new sounds.",
    discussion: """
      Example: continuo probe test drums.continuo --model house --positive with --negative without
      """)

  @ArgumentParser.Argument(help: "A file, a folder, ID or ID@VERSION.") var bundle: String
  @Option(help: "The trait; needed when the bundle has several.") var trait: String?
  @OptionGroup var source: ProbeSourceOptions
  @OptionGroup var machine: ProbeModelOptions
  @Flag(help: "As JSON.") var json = false

  struct Result: Encodable {
    var bundle: String
    var trait: String
    var segments: Int
    /// Accuracy of the head that was best in training.
    var bestHead: Float
    /// Accuracy of the median of the monitors.
    var monitors: Float
    var mean: Float
  }

  func run() throws {
    let found = try PresetLibrary().find(bundle)
    let known = found.manifest.traits
    guard let chosen = trait.map({ found.trait($0) }) ?? (known.count == 1 ? known[0] : nil),
      let probes = found.probes[chosen.id]
    else { throw PresetError.unknownTrait(name: trait ?? "", known: known.map(\.id)) }
    let loaded = try machine.load()
    if case .sameDimensions(let warning) = try found.compatibility(with: loaded.identity) {
      FileHandle.standardError.write(Data("warning: \(warning)\n".utf8))
    }
    let dataset = try loaded.reader.read(try source.items(loaded, seed: 1))
    let labels = dataset.values.map { $0 > 0.5 }
    guard labels.contains(true), labels.contains(false) else {
      throw ProbeMaterialError.tooLittle(what: "kinds of segments", found: 1, needed: 2)
    }
    let accuracies = ProbeTraining.accuracies(
      of: probes, on: dataset.activations, labels: labels, pool: loaded.pool)
    let best = probes.bestHeads(count: 1)
    let result = Result(
      bundle: found.name, trait: chosen.id, segments: labels.count,
      bestHead: best.first.map { accuracies[$0] } ?? 0,
      monitors: ProbeTraining.monitorAccuracy(
        of: probes, monitors: probes.bestHeads(count: chosen.defaults.monitors),
        on: dataset.activations, labels: labels),
      mean: accuracies.reduce(0, +) / Float(max(accuracies.count, 1)))
    if json { return try printJSON(result) }
    print(
      String(
        format:
          "%@/%@ on %d segments: best head %.1f %%, its monitors together %.1f %%, mean head %.1f %%",
        result.bundle as NSString, result.trait as NSString, result.segments,
        result.bestHead * 100, result.monitors * 100, result.mean * 100))
  }
}

struct ProbePictureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "picture", abstract: "Draws which heads know a trait.",
    discussion: "Example: continuo probe picture drums.continuo --out heads.svg")

  @ArgumentParser.Argument(help: "A file, a folder, ID or ID@VERSION.") var bundle: String
  @Option(help: "The picture to write (.svg).") var out: String

  func run() throws {
    let found = try PresetLibrary().find(bundle)
    let maps = found.manifest.traits.compactMap { trait in
      found.probes[trait.id].map { probes in
        HeadMap(
          title: "\(found.manifest.name): \(trait.label) (\(found.manifest.model.name))",
          unit: "held-out accuracy", layers: probes.layers, heads: probes.heads,
          values: probes.accuracyTest)
      }
    }
    try AtomicFile.write(Data(HeadMap.svg(maps).utf8), to: URL(fileURLWithPath: out))
    print(out)
  }
}
