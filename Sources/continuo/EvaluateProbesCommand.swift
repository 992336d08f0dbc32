// `continuo evaluate probes`: how well single heads know instruments, and from how few pairs they learn it.

import ArgumentParser
import Engine
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

struct EvaluateProbesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probes",
    abstract: "Accuracy of the heads, trait by trait and by number of pairs.",
    discussion: """
      Songs come from catalogues with codes and activity; those of the split “test” or “validation” examine.

      Example: continuo evaluate probes --catalogue train-songs --catalogue test-songs --out figures
      """)

  @OptionGroup var machine: ProbeModelOptions
  @Option(
    help: "A catalogue; may be repeated; default: the shipped one, and the shipped test songs.")
  var catalogue: [String] = []
  @Option(help: "A group of instruments; default: all of the catalogue; repeated.")
  var group: [String] = []
  @Option(help: "Numbers of pairs to learn from, besides all.") var pairs: [Int] = [
    10, 100, 500, 1000,
  ]
  @Option(name: .customLong("per-song"), help: "Most segments of each kind from one song.")
  var perSong = 3
  @Option(name: .customLong("segment-seconds"), help: "Length of a segment.") var segmentSeconds =
    3.0
  @Option(help: "Strength of the L2 penalty.") var regularisation = 1.0
  @Option(help: "Chooses pairs.") var seed: UInt64 = 1
  @Option(help: "A folder for report.txt, report.json and the pictures.") var out: String?
  @Flag(help: "As JSON.") var json = false

  struct Row: Encodable {
    var trait: String
    /// nil for all.
    var pairs: Int?
    var learned: Int
    var examined: Int
    var best: Float
    var bestLayer: Int
    var bestHead: Int
    var mean: Float
    var monitors: Float
  }

  /// MusicGen-large, best head [restored]; numbers of pairs: average of four instruments.
  private static let paper = """
    Paper (MusicGen-large), best head: drums 94.3, bass 89.1, guitar 81.8, piano 75.3 %; average by pairs: \
    10 79.1, 100 82.6, 500 84.4, 1000 84.8, all 85.1 %
    """

  func run() throws {
    let loaded = try machine.load()
    let places =
      catalogue.isEmpty
      ? [HouseModel.resources.appendingPathComponent("catalogue").path, TestSongs.shipped]
      : catalogue
    let catalogues = try places.map { try ActivityCatalogue(named: $0) }
    let groups = group.isEmpty ? catalogues[0].groups : group
    let frames = Int((segmentSeconds * Double(loaded.model.stepsPerSecond)).rounded())
    var rows: [Row] = []
    var maps: [HeadMap] = []
    for name in groups {
      let items = try catalogues.flatMap {
        try $0.items(
          group: name, frames: frames, perItem: perSong,
          codebooks: loaded.model.config.decoder.codebooks)
      }
      let dataset = try loaded.reader.read(items, title: name)
      let labels = dataset.values.map { $0 > 0.5 }
      for limit in pairs.map(Optional.some) + [nil] {
        var split = dataset.split(testShare: 0.25, seed: seed)
        split.train = balanced(split.train, labels, limit: limit, seed: seed)
        split.test = balanced(split.test, labels, limit: nil, seed: seed)
        guard split.train.count >= 4 else {
          throw ProbeMaterialError.tooLittle(
            what: "segments with and without \(name)", found: split.train.count, needed: 4)
        }
        if let limit, split.train.count < 2 * limit { continue }
        let probes = ProbeTraining.train(
          dataset.activations, labels: labels, split: split, regularisation: regularisation,
          pool: loaded.pool)
        let best = probes.bestHeads(count: 1).first ?? 0
        rows.append(
          Row(
            trait: name, pairs: limit, learned: split.train.count, examined: split.test.count,
            best: probes.accuracyTest[best], bestLayer: best / probes.heads + 1,
            bestHead: best % probes.heads + 1,
            mean: probes.accuracyTest.reduce(0, +) / Float(probes.headCount),
            monitors: ProbeTraining.monitorAccuracy(
              of: probes, monitors: probes.bestHeads(count: 16),
              on: dataset.activations.subset(split.test), labels: split.test.map { labels[$0] })))
        if limit == nil {
          maps.append(
            HeadMap(
              title: "\(name) (\(loaded.identity.name))", unit: "held-out accuracy",
              layers: probes.layers, heads: probes.heads, values: probes.accuracyTest))
        }
      }
    }
    let text = table(rows)
    if let out {
      let folder = URL(fileURLWithPath: out)
      try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try AtomicFile.write(
        Data((text + "\n").utf8), to: folder.appendingPathComponent("probes.txt"))
      try AtomicFile.write(
        Data(HeadMap.svg(maps).utf8), to: folder.appendingPathComponent("probes.svg"))
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      try AtomicFile.write(
        try encoder.encode(rows), to: folder.appendingPathComponent("probes.json"))
    }
    if json { try printJSON(rows) } else { print(text) }
  }

  private func table(_ rows: [Row]) -> String {
    var lines = ["trait       pairs   best head      mean   monitors   learned   examined"]
    for row in rows {
      lines.append(
        String(
          format: "%@ %6@   %5.1f %% (%d,%d)  %5.1f %%   %5.1f %%   %7d   %8d",
          row.trait.padding(toLength: 10, withPad: " ", startingAt: 0) as NSString,
          (row.pairs.map(String.init) ?? "all") as NSString, row.best * 100, row.bestLayer,
          row.bestHead, row.mean * 100, row.monitors * 100, row.learned, row.examined))
    }
    for limit in pairs.map(Optional.some) + [nil] {
      let own = rows.filter { $0.pairs == limit }
      guard !own.isEmpty else { continue }
      lines.append(
        String(
          format: "average of %d traits, %@ pairs: best head %.1f %%", own.count,
          (limit.map(String.init) ?? "all") as NSString,
          own.map(\.best).reduce(0, +) / Float(own.count) * 100))
    }
    return (lines + [Self.paper]).joined(separator: "\n")
  }
}

/// As many rows of each kind, at most `limit`; which ones depends on the seed alone.
func balanced(_ rows: [Int], _ labels: [Bool], limit: Int?, seed: UInt64) -> [Int] {
  var random = SeededRandom(seed: seed)
  let positive = rows.filter { labels[$0] }.shuffled(using: &random)
  let negative = rows.filter { !labels[$0] }.shuffled(using: &random)
  let count = min(positive.count, negative.count, limit ?? .max)
  return (positive.prefix(count) + negative.prefix(count)).sorted()
}
