// `continuo evaluate codec`: what a codec keeps of sound files.

import ArgumentParser
import Engine
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

struct EvaluateCodecCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "codec",
    abstract: "Distortion, use of the codebooks, and what the codes tell, on sound files.",
    discussion: """
      Beside the codec stand its autoencoder without the quantiser and, where opusenc and opusdec are \
      installed, Opus at its lowest rate for music. Figures per group of instruments and the classifier on \
      counts of codes need to know what sounds when: from --stems, or from files named after the tracks of \
      --catalogue (house-test-0007.flac). With --out finished songs are kept there.

      Examples:
        continuo evaluate codec --audio songs/
        continuo evaluate codec --audio multitracks/ --stems
        continuo evaluate codec --audio renderings/ --songs 60 --out figures --report codec.html
      """)

  @OptionGroup var machine: ProbeModelOptions
  @Option(help: "A folder of sound files.") var audio: String
  @Option(
    help: "A catalogue with their activity; may be repeated; default: the shipped test songs.")
  var catalogue: [String] = []
  @Option(
    name: .customLong("learn-from"),
    help: "Catalogue that teaches the classifier; default: the shipped one.")
  var learnFrom: String?
  @Option(name: .customLong("learn-windows"), help: "Windows that teach the classifier, at most.")
  var learnWindows = 3000
  @Flag(help: "Songs are folders of stems, named after the groups (drums.wav, bass.wav).")
  var stems = false
  @Option(help: "The folder of the recogniser; default: the shipped one.") var recogniser: String?
  @Option(help: "Songs, at most.") var songs = 200
  @Option(help: "Seconds taken of each, from its beginning.") var seconds = 30.0
  @Option(help: "Which songs, when there are more.") var seed: UInt64 = 1
  @Flag(name: .customLong("no-opus"), help: "Leaves Opus out.") var noOpus = false
  @Option(help: "A folder for finished songs and report.txt, report.json, report.html.")
  var out: String?
  @Option(help: "An HTML page to write, with the spectrograms of a few songs.") var report: String?
  @Flag(help: "The figures as JSON.") var json = false

  /// Groups of stems where no catalogue names them.
  private static let groups = ["drums", "bass", "guitar", "piano", "other"]

  func run() throws {
    guard (1...100_000).contains(songs), (1...100_000).contains(learnWindows) else {
      throw CommandError.badValue(
        option: "--songs or --learn-windows", value: "\(songs), \(learnWindows)",
        expected: "1 to 100000")
    }
    guard (3.0...600).contains(seconds) else {
      throw CommandError.badValue(
        option: "--seconds", value: "\(seconds)", expected: "3 to 600 seconds")
    }
    if let report {
      try OutputPlace.check(URL(fileURLWithPath: report), option: "--report")
    }
    var files =
      try stems
      ? ProbeMaterial.songs(in: URL(fileURLWithPath: audio))
      : ProbeMaterial.audioFiles(in: URL(fileURLWithPath: audio))
    if files.count > songs {
      var random = SeededRandom(seed: seed)
      files = files.shuffled(using: &random).prefix(songs).sorted { $0.path < $1.path }
    }
    let loaded = try machine.load()
    let isShipped = catalogue.isEmpty && FileManager.default.fileExists(atPath: TestSongs.shipped)
    let catalogues = try (isShipped ? [TestSongs.shipped] : catalogue).map {
      try ActivityCatalogue(named: $0)
    }
    var tracks: [String: ActivityCatalogue.Track] = [:]
    for track in catalogues.flatMap(\.tracks) { tracks[track.id] = track }
    let names = Set(files.map { $0.deletingPathExtension().lastPathComponent })
    let isKnown = stems || tracks.keys.contains { names.contains($0) }
    let steps = Int((seconds * Double(loaded.model.stepsPerSecond)).rounded())
    let opus = noOpus ? nil : OpusTools()
    let judge = try Recogniser(
      folder: recogniser.map { URL(fileURLWithPath: $0) }
        ?? HouseModel.resources.appendingPathComponent("recogniser"))
    let isHeard = judge.rate == loaded.model.config.sampleRate
    let folder = out.map { URL(fileURLWithPath: $0) }
    let evaluation = CodecEvaluation(
      model: loaded.model, files: files, steps: steps, tracks: tracks,
      groups: isKnown ? catalogues.first?.groups ?? Self.groups : [],
      judge: isHeard ? judge : nil, opus: opus,
      store: EvaluationStore(
        folder: folder,
        key: "\(loaded.reader.fingerprint) \(steps) \(opus != nil) \(isKnown) "
          + files.map(ProbeMaterial.identity(of:)).joined(separator: " ")
          + " \(stems) \(judge.digest)"),
      pool: loaded.pool)
    var page = EvaluationPage(title: "The codec of model \(printable(loaded.identity.name))")
    page.notes = ["\(files.count) sound files, up to \(String(format: "%g", seconds)) s of each."]
    if !isKnown {
      page.notes.append(
        "No catalogue knows them by name, so there are no figures per group of instruments.")
    }
    let measured = try evaluation.songs()
    page.tables = [evaluation.likeness(measured), evaluation.perplexity(measured)]
    if let table = evaluation.recogniser(measured) { page.tables.append(table) }
    if isKnown {
      let place = learnFrom ?? HouseModel.resources.appendingPathComponent("catalogue").path
      let teacher = try ActivityCatalogue(named: place)
      page.tables.append(
        try evaluation.presence(measured, teacher: teacher, limit: learnWindows))
    }
    if report != nil || folder != nil { page.pictures = try evaluation.pictures() }
    if let folder { try page.write(to: folder) }
    if let report {
      try AtomicFile.write(Data(page.html.utf8), to: URL(fileURLWithPath: report))
    }
    if json { try printJSON(page) } else { print(page.text) }
  }
}
