// `continuo probe train`: from sounds to a bundle with a knob, or to the figures of the other tasks.

import ArgumentParser
import Engine
import Foundation
import Kernels
import Models
import Reporting

struct ProbeTrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Teaches a trait and writes a bundle with its knob.",
    discussion: """
      Sounds are cut into segments of three seconds; the heads are read at the end of each; one logistic \
      regression per head learns the trait. Songs are split, never segments. An interrupted run goes on \
      where it stopped. Without --alpha, --period or --direction a knob gets the dose that the model's \
      steering.json names; or the paper's (5, every 5 steps, the probes' direction) for a model of at least 384 \
      heads; or, below that, 5 at every step along the difference of the means.

      Examples:
        continuo probe train --model house --trait drums --positive with/ --negative without/ --out drums
        continuo probe train --model house --trait bass --stems songs/ --stem bass --out bass.continuo
        continuo probe train --model house --trait recorded --positive songs/ --own-output --out recorded
        continuo probe train --model house --trait genre --classes jazz/ --classes rock/ --picture g.svg
        continuo probe train --model house --trait valence --targets valence.csv
        continuo probe train --model house --trait tags --labels tags.csv --out tags
        continuo probe train --trait drums --catalogue house --catalogue house-test --group drums \\
          --card --preview-seconds 6 --licence CC0-1.0 --out drums
      """)

  @OptionGroup var machine: ProbeModelOptions
  @Option(help: "What is taught: a-z, 0-9 and hyphens.") var trait: String
  @OptionGroup var source: ProbeSourceOptions
  @Option(help: "A folder per class; repeated. Gives accuracies, no bundle.") var classes:
    [String] = []
  @Option(help: "Lines “file,number”: a regression. Gives R², no bundle.") var targets: String?
  @Option(help: "Lines “file,label;label”: one knob per label.") var labels: String?
  @Option(help: "Learn from this many pairs of segments only.") var pairs: Int?
  @Option(name: .customLong("test-share"), help: "Share of the songs kept for the examination.")
  var testShare = 0.25
  @Option(help: "Strength of the L2 penalty.") var regularisation = 1.0
  @Option(help: "Chooses songs, pairs and own output.") var seed: UInt64 = 1

  @Option(help: "The folder or .continuo file to write.") var out: String?
  @Option(help: "A picture of the heads to write (.svg).") var picture: String?
  @Option(help: "Reverse domain name of the bundle; default: local.TRAIT.") var id: String?
  @Option(help: "Name of the bundle; default: the trait.") var name: String?
  @Option(help: "Version of the bundle.") var version = "1.0.0"
  @Option(help: "What the knob shows; default: the trait.") var label: String?
  @Option(help: "What the two ends mean, “less,more”.") var ends: String?
  @Option(help: "An author; may be repeated.") var author: [String] = []
  @Option(help: "Licence of the bundle, an SPDX identifier.") var licence = ""
  @Option(help: "Where the sounds came from.") var data: String?
  @Option(name: .customLong("data-licence"), help: "Licence of the sounds.") var dataLicence:
    String?
  @OptionGroup var strength: KnobDoseOptions
  @Option(help: "What the bundle does, for its readers.") var description = ""
  @OptionGroup var shipping: ShippingOptions
  @Flag(help: "The figures as JSON.") var json = false

  /// What is printed.
  struct Figures: Encodable {
    var trait: String
    var task: String
    var segments: Int
    var songs: Int
    var testSongs: Int
    /// Best head's held-out figure.
    var best: Float
    var bestLayer: Int
    var bestHead: Int
    var mean: Float
    /// Held-out accuracy of the monitors together.
    var monitors: Float?
    var seconds: Double
    var out: String?
  }

  func run() throws {
    guard PresetManifest.isTraitName(trait) else {
      throw CommandError.badValue(
        option: "--trait", value: trait, expected: "a name of a-z, 0-9 and hyphens")
    }
    guard regularisation > 0, regularisation.isFinite, (0.0..<1).contains(testShare) else {
      throw CommandError.badValue(
        option: "--regularisation or --test-share", value: "\(regularisation), \(testShare)",
        expected: "a penalty above 0 and a share from 0 to below 1")
    }
    try strength.check()
    if let pairs, pairs < 2 {
      throw CommandError.badValue(
        option: "--pairs", value: "\(pairs)", expected: "at least 2")
    }
    let clock = ContinuousClock()
    let started = clock.now
    let loaded = try machine.load()
    var figures: [Figures]
    if !classes.isEmpty {
      figures = [try trainClasses(loaded)]
    } else if let targets {
      figures = [try trainTargets(loaded, URL(fileURLWithPath: targets))]
    } else if let labels {
      figures = try trainLabels(loaded, URL(fileURLWithPath: labels))
    } else {
      figures = [try trainTrait(loaded)]
    }
    let seconds = (clock.now - started) / .seconds(1)
    for index in figures.indices { figures[index].seconds = seconds }
    if json { return try printJSON(figures) }
    for figure in figures {
      let monitors = figure.monitors.map { String(format: ", monitors together %.1f %%", $0 * 100) }
      print(
        String(
          format: "%@ (%@): best head %.1f %% (layer %d, head %d)%@, mean %.1f %%; "
            + "%d segments of %d songs, %d held out; %.1f s",
          figure.trait as NSString, figure.task as NSString, figure.best * 100, figure.bestLayer,
          figure.bestHead, (monitors ?? "") as NSString, figure.mean * 100, figure.segments,
          figure.songs, figure.testSongs, figure.seconds))
    }
    if let out { print("→ \(out)") }
  }

  // MARK: a trait

  private func trainTrait(_ loaded: ProbeModelOptions.Loaded) throws -> Figures {
    let items = try source.items(loaded, seed: seed)
    let dataset = try loaded.reader.read(items)
    let labels = dataset.values.map { $0 > 0.5 }
    let (probes, monitors, split) = try learn(dataset, labels, loaded.pool)
    try write(
      [Taught(id: trait, label: label ?? trait, probes: probes, monitors: monitors)],
      dataset: dataset, loaded)
    return figure(
      trait, "trait", probes.accuracyTest, probes.heads, dataset, split, monitors: monitors)
  }

  private func trainLabels(_ loaded: ProbeModelOptions.Loaded, _ file: URL) throws -> [Figures] {
    let rows = try ProbeMaterial.table(file)
    let cutter = cutter(loaded)
    let items = rows.map { row in
      ProbeItem(
        track: row.file.deletingPathExtension().lastPathComponent, side: nil,
        key: "\(ProbeMaterial.identity(of: row.file)) = 0.0, \(cutter.key)",
        segments: { try cutter.segments(of: row.file, value: 0) })
    }
    let dataset = try loaded.reader.read(items)
    let sets = rows.map { row in
      Set(row.value.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) })
    }
    let names = Set(sets.flatMap { $0 }).sorted().filter { PresetManifest.isTraitName($0) }
    guard !names.isEmpty else {
      throw ProbeMaterialError.badTable(
        file: file.path, line: 1, reason: "no label is a name of a-z, 0-9 and hyphens")
    }
    var taught: [Taught] = []
    var figures: [Figures] = []
    for name in names {
      let labels = dataset.items.map { sets[$0].contains(name) }
      guard labels.contains(true), labels.contains(false) else { continue }
      let (probes, monitors, split) = try learn(dataset, labels, loaded.pool)
      taught.append(Taught(id: name, label: name, probes: probes, monitors: monitors))
      figures.append(
        figure(name, "label", probes.accuracyTest, probes.heads, dataset, split, monitors: monitors)
      )
    }
    try write(taught, dataset: dataset, loaded)
    return figures
  }

  /// Balances, splits by song, trains.
  private func learn(_ dataset: ProbeDataset, _ labels: [Bool], _ pool: ComputePool) throws
    -> (probes: ProbeSet, monitors: Float, split: TrackSplit)
  {
    var split = dataset.split(testShare: testShare, seed: seed)
    split.train = balanced(split.train, labels, limit: pairs, seed: seed)
    split.test = balanced(split.test, labels, limit: nil, seed: seed)
    guard split.train.count >= 4 else {
      let kinds = labels.contains(true) && labels.contains(false)
      throw ProbeMaterialError.tooLittle(
        what: kinds ? "segments to learn from" : "segments with and without the trait",
        found: split.train.count, needed: 4)
    }
    let probes = ProbeTraining.train(
      dataset.activations, labels: labels, split: split, regularisation: regularisation, pool: pool)
    let held = split.test.isEmpty ? split.train : split.test
    let monitors = ProbeTraining.monitorAccuracy(
      of: probes, monitors: probes.bestHeads(count: PresetTrait.Defaults().monitors),
      on: dataset.activations.subset(held), labels: held.map { labels[$0] })
    return (probes, monitors, split)
  }

  // MARK: other tasks

  private func trainClasses(_ loaded: ProbeModelOptions.Loaded) throws -> Figures {
    guard classes.count >= 2 else {
      throw CommandError.clash(
        what: "only one --classes", remedy: "give a folder for every class")
    }
    let cutter = cutter(loaded)
    let items = try classes.enumerated().flatMap { index, folder in
      try ProbeMaterial.folder(URL(fileURLWithPath: folder), value: Float(index), cutter).map {
        item in
        var item = item
        item.track = "\(index)/\(item.track)"
        return item
      }
    }
    let dataset = try loaded.reader.read(items)
    let split = dataset.split(testShare: testShare, seed: seed)
    let accuracies = ProbeTraining.classAccuracies(
      dataset.activations, labels: dataset.values.map { Int($0) }, classes: classes.count,
      split: split, regularisation: regularisation, pool: loaded.pool)
    try draw(accuracies, "accuracy of \(classes.count) classes", 1 / Float(classes.count), loaded)
    return figure(
      trait, "\(classes.count) classes", accuracies, loaded.model.config.decoder.heads, dataset,
      split)
  }

  private func trainTargets(_ loaded: ProbeModelOptions.Loaded, _ file: URL) throws -> Figures {
    let cutter = cutter(loaded)
    let items = try ProbeMaterial.table(file).enumerated().map { index, row in
      guard let value = Float(row.value), value.isFinite else {
        throw ProbeMaterialError.badTable(
          file: file.path, line: index + 1, reason: "“\(row.value)” is no number")
      }
      return ProbeItem(
        track: row.file.deletingPathExtension().lastPathComponent, side: nil,
        key: "\(ProbeMaterial.identity(of: row.file)) = \(value), \(cutter.key)",
        segments: { try cutter.segments(of: row.file, value: value) })
    }
    let dataset = try loaded.reader.read(items)
    let split = dataset.split(testShare: testShare, seed: seed)
    let determination = ProbeTraining.determination(
      dataset.activations, targets: dataset.values, split: split, regularisation: regularisation,
      pool: loaded.pool)
    try draw(determination, "held-out R²", 0, loaded)
    return figure(
      trait, "regression, R²", determination, loaded.model.config.decoder.heads, dataset, split)
  }

  // MARK: parts

  private func cutter(_ loaded: ProbeModelOptions.Loaded) -> SegmentCutter {
    SegmentCutter(
      model: loaded.model, seconds: source.segmentSeconds, perItem: source.perSong,
      pool: loaded.pool)
  }

  private struct Taught {
    var id: String
    var label: String
    var probes: ProbeSet
    var monitors: Float
  }

  private func write(
    _ taught: [Taught], dataset: ProbeDataset, _ loaded: ProbeModelOptions.Loaded
  ) throws {
    if let picture {
      let maps = taught.map {
        HeadMap(
          title: "\($0.label) (\(loaded.identity.name))", unit: "held-out accuracy",
          layers: $0.probes.layers, heads: $0.probes.heads, values: $0.probes.accuracyTest)
      }
      try AtomicFile.write(Data(HeadMap.svg(maps).utf8), to: URL(fileURLWithPath: picture))
    }
    guard let out else { return }
    let dose = try strength.dose(for: loaded.model)
    let config = loaded.model.config.decoder
    var manifest = PresetManifest(
      id: id ?? "local.\(trait)", name: name ?? label ?? trait, version: version,
      model: loaded.identity, traits: [])
    manifest.authors = author
    manifest.licence = licence
    manifest.description = description
    for entry in taught {
      var knob = PresetTrait(
        id: entry.id, label: entry.label,
        ends: ends.map { $0.split(separator: ",").map(String.init) } ?? [], tensors: entry.id)
      knob.defaults.alpha = dose.alpha
      knob.defaults.period = dose.period
      knob.defaults.direction = dose.direction
      knob.defaults.hardHeads = Dose.hardHeads(of: config)
      var training = PresetTrait.Training()
      training.segments = dataset.activations.count
      training.tracks = Set(dataset.activations.tracks).count
      training.seconds = Float(source.segmentSeconds)
      training.data = data
      training.dataLicence = dataLicence
      training.seed = seed
      knob.training = training
      var accuracy = PresetTrait.Accuracy()
      accuracy.bestTrain = entry.probes.accuracyTrain.max()
      accuracy.bestTest = entry.probes.accuracyTest.max()
      accuracy.monitors = entry.monitors
      knob.accuracy = accuracy
      manifest.traits.append(knob)
    }
    let bundle = try shipping.complete(
      PresetBundle(
        manifest: manifest,
        probes: Dictionary(uniqueKeysWithValues: taught.map { ($0.id, $0.probes) }), extras: [:],
        place: out),
      seed: seed
    ) { (loaded.model, loaded.pool) }
    try bundle.write(to: URL(fileURLWithPath: out))
    for warning in bundle.warnings {
      FileHandle.standardError.write(Data("warning: \(warning)\n".utf8))
    }
  }

  private func draw(
    _ values: [Float], _ unit: String, _ floor: Float, _ loaded: ProbeModelOptions.Loaded
  ) throws {
    guard let picture else { return }
    let config = loaded.model.config.decoder
    let map = HeadMap(
      title: "\(trait) (\(loaded.identity.name))", unit: unit, layers: config.layers,
      heads: config.heads, values: values, floor: floor)
    try AtomicFile.write(Data(HeadMap.svg([map]).utf8), to: URL(fileURLWithPath: picture))
  }

  private func figure(
    _ trait: String, _ task: String, _ values: [Float], _ heads: Int, _ dataset: ProbeDataset,
    _ split: TrackSplit, monitors: Float? = nil
  ) -> Figures {
    let best = values.indices.max { values[$0] < values[$1] } ?? 0
    let tracks = dataset.activations.tracks
    return Figures(
      trait: trait, task: task, segments: split.train.count + split.test.count,
      songs: Set((split.train + split.test).map { tracks[$0] }).count,
      testSongs: Set(split.test.map { tracks[$0] }).count, best: values.isEmpty ? 0 : values[best],
      bestLayer: best / max(heads, 1) + 1, bestHead: best % max(heads, 1) + 1,
      mean: values.reduce(0, +) / Float(max(values.count, 1)), monitors: monitors, seconds: 0,
      out: out)
  }
}

/// SplitMix64: choices that are the same on every machine.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
