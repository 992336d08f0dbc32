// `continuo evaluate steering`: the paper's tables of steering, on any model, resumable.

import ArgumentParser
import Engine
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

struct EvaluateSteeringCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "steering",
    abstract: "Success, presence, distance and similarity of steered music.",
    discussion: """
      Prompts are held-out songs of a catalogue with activity; the judge is the recogniser, which shares \
      nothing with the model. Every finished cell is kept in --out, so that an interrupted run goes on; more \
      suites can be added later. Results: report.txt, report.json, report.html, and a picture or two of each table.

      Suites: dose (grid over alpha, period and direction on validation prompts, chosen once per model), \
      continuation, removal, several, ablation, pairs, text, recorded, drift.

      The suite dose also writes steering.json: put it into the model's folder, and knobs taught on the model get \
      that dose.

      More clips of a cell begin where fewer ended: the same command with a larger --clips adds to what is there, \
      best in steps of 16.

      Example: continuo evaluate steering --catalogue songs --bundle drums --bundle bass --out figures \\
                 --suite dose --suite continuation --clips 200 --seconds 20
      """)

  @OptionGroup var machine: ProbeModelOptions
  @Option(help: "How weights are kept in memory: f32, bf16, int8 or int4.")
  var weights: WeightFormat = .f32
  @Option(
    help: "A catalogue with codes and activity; may be repeated; default: the shipped test songs.")
  var catalogue: [String] = []
  @Option(help: "The folder of the outside judge; default: the shipped one.") var recogniser:
    String?
  @Option(help: "A bundle with knobs to evaluate; default: all that are found; repeated.")
  var bundle: [String] = []
  @Option(help: "A trait; default: every knob that the judge knows; repeated.") var trait:
    [String] = []
  @Option(help: "What is evaluated; default: dose, continuation and removal; repeated.")
  var suite: [EvaluationSuite] = []
  @Option(help: "Clips per cell.") var clips = 200
  @Option(name: .customLong("validation-clips"), help: "Clips per cell of the dose grid.")
  var validationClips = 32
  @Option(help: "Seconds of new music per clip.") var seconds = 20.0
  @Option(name: .customLong("prompt-seconds"), help: "Seconds of prompt.") var promptSeconds = 3.0
  @Option(help: "A dose of the grid, ALPHA/PERIOD[/DIRECTION]; may be repeated.") var dose:
    [String] = []
  @Option(
    help: """
      The dose of the other suites, ALPHA/PERIOD[/DIRECTION]; default: what the suite dose chooses, \
      or else what the bundles name.
      """) var chosen: String?
  @Option(
    help: """
      Make only rows of this name in the tables of prompts and text; “chosen” for SMITIN at the dose of --chosen; \
      repeated.
      """) var row: [String] = []
  @Option(
    name: .customLong("learn-from"),
    help: "Catalogue that teaches the suite pairs; default: the shipped one.")
  var learnFrom: String?
  @Option(name: .customLong("drift-seconds"), help: "Length of the suite drift.") var driftSeconds =
    600.0
  @Option(name: .customLong("drift-clips"), help: "Clips of the suite drift.") var driftClips = 4
  @Option(help: "Clips of every cell that are written to --out/listening, at -12 LUFS.")
  var listen = 0
  @Option(help: "Classifier-free guidance with text.") var guidance: Float = 3
  @Option(
    help: """
      How strongly the prompt comes back, in nats, see “continuo render”; 0, whatever the model asks for, compares \
      methods as the paper does.
      """) var recall: Float = 0
  @Option(help: "Chooses the random numbers.") var seed: UInt64 = 1
  @Option(help: "The folder for cells and reports.") var out: String
  @Option(help: "Another name for the reports in --out than “report”.") var report = "report"
  @Flag(help: "The report as JSON on standard output.") var json = false

  func run() throws {
    guard (1...100_000).contains(clips), (1...100_000).contains(validationClips),
      (1.0...600).contains(seconds), (0.5...20).contains(promptSeconds)
    else {
      throw CommandError.badValue(
        option: "--clips, --validation-clips, --seconds or --prompt-seconds",
        value: "\(clips), \(validationClips), \(seconds), \(promptSeconds)",
        expected: "clips from 1, 1 to 600 seconds, prompts of 0.5 to 20 seconds")
    }
    guard !report.isEmpty, !report.contains("/"), !report.hasPrefix(".") else {
      throw CommandError.badValue(
        option: "--report", value: report, expected: "a plain name, such as continuation")
    }
    guard ModelSampling.recalls.contains(recall) else {
      throw CommandError.badValue(option: "--recall", value: "\(recall)", expected: "0 to 20 nats")
    }
    let loaded = try machine.load(weights: weights)
    let judge = try Recogniser(
      folder: recogniser.map { URL(fileURLWithPath: $0) }
        ?? HouseModel.resources.appendingPathComponent("recogniser"))
    guard judge.rate == loaded.model.config.sampleRate else {
      throw CommandError.clash(
        what: "the judge hears \(judge.rate) frames per second, the model makes "
          + "\(loaded.model.config.sampleRate)",
        remedy: "give a judge of the model's rate")
    }
    let library = PresetLibrary()
    let bundles =
      bundle.isEmpty
      ? library.list().filter { $0.shadowedBy == nil }.compactMap { try? $0.bundle.get() }
        .filter { (try? $0.compatibility(with: loaded.identity)) != nil }
      : try bundle.map { try library.find($0) }
    for found in bundles { _ = try found.compatibility(with: loaded.identity) }
    let knobs = bundles.flatMap { bundle in
      bundle.manifest.traits.map { PresetKnob(bundle: bundle, trait: $0) }
    }
    let traits =
      try trait.isEmpty
      ? knobs.map(\.trait.id).filter { judge.groups.contains($0) }
      : trait.map { try PresetKnob.find($0, in: bundles).trait.id }
    guard !traits.isEmpty else {
      throw CommandError.clash(
        what: "no knob is one that the judge knows (\(judge.groups.joined(separator: ", ")))",
        remedy: "train one with “continuo probe train”, or give --bundle")
    }
    guard (1.0...3600).contains(driftSeconds), (1...1000).contains(driftClips) else {
      throw CommandError.badValue(
        option: "--drift-seconds or --drift-clips", value: "\(driftSeconds), \(driftClips)",
        expected: "1 to 3600 seconds, 1 to 1000 clips")
    }
    let shipped = HouseModel.resources.appendingPathComponent("catalogue").path
    let places = catalogue.isEmpty ? [TestSongs.shipped] : catalogue
    let teacher =
      suite.contains(.pairs)
      ? PairTeacher(
        loaded: loaded,
        catalogues: [try ActivityCatalogue(named: learnFrom ?? shipped)],
        seconds: promptSeconds, seed: seed) : nil
    let songs = PromptSongs(
      catalogues: try places.map { try ActivityCatalogue(named: $0) },
      codebooks: loaded.model.config.decoder.codebooks, frames: Int((promptSeconds * 50).rounded()))
    let folder = URL(fileURLWithPath: out)
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let runner = EvaluationRunner(
      model: loaded.model, knobs: knobs, songs: songs, judge: judge, folder: folder,
      settings: SamplingSettings(guidance: guidance, recall: recall),
      fingerprint: loaded.reader.fingerprint + judge.digest
        + (weights == .f32 ? "" : weights.rawValue) + (recall == 0 ? "" : "recall \(recall)"),
      teacher: teacher, pool: loaded.pool)
    runner.listening = listen
    let suites = suite.isEmpty ? [.dose, .continuation, .removal] : suite
    var evaluation = SteeringEvaluation(
      runner: runner, traits: traits,
      suites: suites,
      clips: clips, validationClips: validationClips, seconds: seconds, seed: seed,
      doses: try (dose.isEmpty ? Dose.grid : dose.map(Dose.init(text:))),
      chosen: try chosen.map(Dose.init(text:))
        ?? (suites.contains(.dose) ? nil : named(by: knobs.filter { traits.contains($0.trait.id) }))
    )
    evaluation.rows = row.flatMap { name in
      guard name == "chosen", let dose = evaluation.chosen else { return [name] }
      return ["smitin \(dose.name)", "smitin −\(dose.name)"]
    }
    evaluation.driftSeconds = driftSeconds
    evaluation.driftClips = driftClips
    let name = self.report
    let report = try evaluation.run(model: loaded.identity.name) { partial in
      try partial.write(to: folder, name: name)
    }
    try report.write(to: folder, name: name)
    if suites.contains(.dose), let dose = report.dose { try dose.write(to: folder) }
    if json { try printJSON(report) } else { print(report.text) }
  }

  /// The dose that all bundles name; nil, so that one has to be chosen, where they differ.
  private func named(by knobs: [PresetKnob]) -> Dose? {
    let doses = knobs.map { knob in
      let defaults = knob.trait.defaults
      return Dose(
        alpha: defaults.alpha, period: defaults.period, direction: defaults.direction)
    }
    guard let first = doses.first, doses.allSatisfy({ $0 == first }) else { return nil }
    return first
  }
}

/// A part of the tables.
enum EvaluationSuite: String, CaseIterable, ExpressibleByArgument {
  case dose, continuation, removal, several, ablation, pairs, text, recorded, drift
}
