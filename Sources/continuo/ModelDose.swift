// The dose that a model asks for: steering.json in its folder, or by its number of heads.
//
// `continuo evaluate steering --suite dose` chooses a dose on validation prompts and writes the file; who puts it into the
// model's folder gives every knob that is taught on that model a strength 1 that is heard. Source: ours; METHOD 7.

import ArgumentParser
import Engine
import Foundation
import Models
import Reporting

/// A steering.json that cannot be used.
enum ModelDoseError: Explained {
  case unreadable(file: String, reason: String)

  var kind: FailureKind { .data }
  var problem: String {
    switch self {
    case .unreadable(let file, let reason): "\(printable(file)) names no dose: \(printable(reason))"
    }
  }
  var remedy: String {
    """
    let “continuo evaluate steering --suite dose” write one, or take the file away and give --alpha, --period and \
    --direction
    """
  }
}

extension Dose {
  /// The file's name in a model's folder.
  static let fileName = "steering.json"
  /// The largest such file.
  private static let fileLimit = 64 * 1024

  /// The paper's, found for models of some hundred heads and more.
  static let paper = Dose(alpha: 5, period: 5)
  /// The paper's stronger one, for text to music.
  static let strong = Dose(alpha: 10, period: 5)
  /// What the house model needed, which has 36: there the paper's push is spread over so few heads that nothing is heard.
  static let small = Dose(alpha: 5, period: 1, direction: .meanDifference)
  /// The fewest heads of a published model (MusicGen-small).
  static let publishedHeads = 384

  /// The dose of a model: what its folder says, or else the paper's for a published size and above, `small` below.
  /// - Throws: `ModelDoseError` for a file that is there and makes no sense.
  static func usual(for model: MusicGen) throws -> Dose {
    let config = model.config.decoder
    return try named(in: model.folder)
      ?? (config.layers * config.heads >= publishedHeads ? paper : small)
  }

  /// Heads that the original intervention pushes: a third of the heads, at most the published 48 [ours below 144 heads].
  static func hardHeads(of config: LanguageModelConfig) -> Int {
    min(48, max(config.layers * config.heads / 3, 1))
  }

  /// What a model's folder says; nil where it says nothing.
  /// - Throws: `ModelDoseError`.
  static func named(in folder: URL) throws -> Dose? {
    let file = folder.appendingPathComponent(fileName)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    func failure(_ reason: String) -> ModelDoseError {
      .unreadable(file: file.path, reason: reason)
    }
    guard let data = try? Data(contentsOf: file), data.count <= fileLimit else {
      throw failure("it may not be read, or is larger than \(fileLimit) bytes")
    }
    guard let dose = try? JSONDecoder().decode(Dose.self, from: data) else {
      throw failure("“alpha”, “period” and “direction” (probe or mean-difference) are needed")
    }
    guard ranges.alpha.contains(dose.alpha), ranges.period.contains(dose.period) else {
      throw failure("alpha is 0.001 to 1000, period 1 to 500")
    }
    return dose
  }

  /// Writes the file.
  func write(to folder: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try AtomicFile.write(
      try encoder.encode(self) + Data("\n".utf8),
      to: folder.appendingPathComponent(Self.fileName))
  }
}

/// Options of the dose that a new knob has at strength 1.
struct KnobDoseOptions: ParsableArguments {
  @Option(help: "How far a knob pushes at strength 1.")
  var alpha: Float?
  @Option(help: "Steps from one push to the next.") var period: Int?
  @Option(help: "What is pushed along: the probes, or the difference of the means.")
  var direction: DirectionKind?

  /// - Throws: `CommandError.badValue`.
  func check() throws {
    guard alpha.map(Dose.ranges.alpha.contains) ?? true,
      period.map(Dose.ranges.period.contains) ?? true
    else {
      throw CommandError.badValue(
        option: "--alpha or --period",
        value: "\(alpha.map { "\($0)" } ?? "–"), \(period.map { "\($0)" } ?? "–")",
        expected: "an alpha from 0.001 to 1000 and a period from 1 to 500 steps")
    }
  }

  /// Puts in what was given.
  func change(_ defaults: inout PresetTrait.Defaults) {
    defaults.alpha = alpha ?? defaults.alpha
    defaults.period = period ?? defaults.period
    defaults.direction = direction ?? defaults.direction
  }

  /// The model's own dose, but for what was given.
  /// - Throws: `ModelDoseError`.
  func dose(for model: MusicGen) throws -> Dose {
    if let alpha, let period, let direction {
      return Dose(alpha: alpha, period: period, direction: direction)
    }
    let usual = try Dose.usual(for: model)
    return Dose(
      alpha: alpha ?? usual.alpha, period: period ?? usual.period,
      direction: direction ?? usual.direction)
  }
}
