// `continuo attribute`: which tracks of a catalogue made the model produce a piece.

import ArgumentParser
import Attribution
import Foundation
import HouseModel
import Models
import Reporting

extension LayerChoice: ExpressibleByArgument {}
extension UnlearningSettings.Method: ExpressibleByArgument {}

struct AttributeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attribute",
    abstract: "Says which training tracks a piece owes most to.",
    discussion: """
      Unlearns the piece and looks whose loss rises. Writes report.html, ranking.json and ranking.csv; \
      what was computed is kept, so the same command after an interruption goes on where it was.

      --first-order takes one gradient per track instead, which tells what a small step of unlearning would do, and \
      judges the scores against those of --against other tracks, so that what the few draws of a track do \
      whatever is unlearned does not count: with few draws that ranks far better (Attribution/Study). \
      ranking.json has the plain scores beside.

      Examples:
        continuo attribute takes/first --out credits
        continuo attribute house-train-0100 --track --out check
        continuo attribute takes/first --first-order --out credits-2
        continuo attribute takes/first --model my-model --catalogue Tracks --shard 2/7 --out part-2
        continuo attribute merge part-* --out credits
        continuo attribute jobs
      """,
    subcommands: [
      AttributeRunCommand.self, AttributeMergeCommand.self, AttributeJobsCommand.self,
      AttributeBenchCommand.self,
    ],
    defaultSubcommand: AttributeRunCommand.self)
}

struct AttributeRunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Attributes one piece (what “attribute PIECE” does).")

  @Argument(help: "A take's folder, codes.safetensors, a sound file, or with --track a track's id.")
  var piece: String
  @Flag(help: "The piece is a track of the catalogue: how well does the method find it?")
  var track = false
  @Option(help: "A model's name, or the path of its folder.") var model = "house"
  @Option(help: "The training catalogue's folder; default: the shipped one for the shipped model.")
  var catalogue: String?
  @Option(help: "The folder of the result.") var out: String
  @Flag(
    name: .customLong("first-order"), inversion: .prefixedNo,
    help: """
      One gradient per track instead of unlearning itself, scores against those of other tracks; default: for \
      diffusion models, where nothing else asks for unlearning itself.
      """) var isFirstOrder: Bool?
  @Option(
    parsing: .unconditional,
    help: "With --first-order: against how many other tracks; 0 for none.")
  var against = Contrast.usual
  @Option(help: "Which layers may change: \(names(LayerChoice.allCases.map(\.rawValue))).")
  var layers = LayerChoice.allTransformer
  @Option(help: "step (closed form) or iterated (several steps on the objective).")
  var method = UnlearningSettings.Method.step
  @Option(parsing: .unconditional, help: "By how much of itself the piece's own loss shall rise.")
  var rise = 0.001
  @Option(
    name: .customLong("learning-rate"), parsing: .unconditional, help: "η, instead of --rise.")
  var learningRate: Double?
  @Option(parsing: .unconditional, help: "Relative to each tensor's mean Fisher information.")
  var damping = 0.1
  @Option(parsing: .unconditional, help: "Steps of the iterated method.") var steps = 8
  @Option(name: .customLong("piece-draws"), parsing: .unconditional, help: "Draws of the piece.")
  var pieceDraws = 16
  @Option(name: .customLong("track-draws"), parsing: .unconditional, help: "Draws of each track.")
  var trackDraws = 2
  @Option(parsing: .unconditional, help: "Seconds of one draw.") var window = 8.0
  @Option(
    help: """
      Times of a diffusion model's draws, FROM-TO, 0 clean to 1 noise alone; default: 0.1-0.5 for the shipped \
      one and its kind, 0-1 for others.
      """)
  var times: String?
  @Option(
    name: .customLong("fisher-tracks"), parsing: .unconditional,
    help: "Tracks that the Fisher information is taken over.") var fisherTracks = 100
  @Option(
    name: .customLong("fisher-draws"), parsing: .unconditional, help: "Draws of each of them.")
  var fisherDraws = 1
  @Flag(
    name: .customLong("mask-piece"), inversion: .prefixedNo,
    help: "Leave silence of the piece out of unlearning (M_U).") var maskPiece = true
  @Flag(
    name: .customLong("mask-tracks"), inversion: .prefixedNo,
    help: "Leave silence of tracks out of their loss (M_L).") var maskTracks = false
  @Option(parsing: .unconditional, help: "Score only the N tracks that sound most alike.")
  var candidates: Int?
  @Option(help: "Score part I of N only, for several machines: I/N.") var shard: String?
  @Option(parsing: .unconditional, help: "Tracks scored side by side.") var batch = 8
  @Option(parsing: .unconditional, help: "Compute threads; 0 for one per processor.")
  var threads = 0
  @Option(
    name: .customLong("held-out"),
    help: "A catalogue that was not trained on, to see the collateral damage.")
  var heldOut: String?
  @Option(help: "Vectors of other programs: safetensors, or a folder of .npy, one per track id.")
  var embeddings: String?
  @Flag(help: "A language model hears each track with its tags as the text.") var captions = false
  @Option(help: "With --captions: what the piece was asked for.") var text: String?
  @Option(parsing: .unconditional, help: "Megabytes to stay below; costs time when it is little.")
  var memory: Int?
  @Option(help: "The job store; default: the user's own.") var store: String?
  @Option(help: "The folder of cached Fisher informations.") var cache: String?
  @Flag(help: "Put the job into the store for continuo-worker instead of doing it now.")
  var queue = false
  @Flag(help: "The first tracks as JSON.") var json = false

  func run() throws {
    let request = try makeRequest()
    try request.check()
    let jobs = try JobStore(
      file: store.map { URL(fileURLWithPath: $0) } ?? AttributionPlaces.store())
    if queue {
      let id = try jobs.add(request: try JSONEncoder().encode(request))
      print(json ? "{\"job\": \(id)}" : "job \(id) waits for continuo-worker")
      return
    }
    let watch = InterruptWatch()
    let bar = ProgressBar("attributing", total: 1)
    let run = AttributionRun(
      request, store: jobs,
      cache: cache.map { URL(fileURLWithPath: $0) } ?? AttributionPlaces.cache()
    ) { progress in
      if watch.isInterrupted { throw CommandError.interrupted(output: out) }
      bar.show(progress.share, note: progress.message)
    }
    let rankings = try run.run()
    bar.finish()
    try RankingReport(rankings).write(to: URL(fileURLWithPath: out))
    try tell(rankings[0])
  }

  private func makeRequest() throws -> AttributionRequest {
    let location = try Self.folder(ofModel: model)
    guard let tracks = catalogue.map(absolute) ?? HouseModel.catalogue(of: location)?.path else {
      throw ValidationError("Say with --catalogue which tracks the model was trained on.")
    }
    var request = AttributionRequest(
      model: location.path, catalogue: tracks, piece: track ? piece : absolute(piece),
      out: absolute(out))
    request.companion = try Self.companion(of: location)
    request.isTrack = track
    // A diffusion model's few draws of a track say more about the draws than about the piece.
    let wantsUnlearning = method != .step || learningRate != nil || heldOut != nil
    let usual = Self.isDiffusion(location) && !wantsUnlearning
    request.against = isFirstOrder ?? usual ? against : nil
    request.unlearning.method = method
    request.unlearning.layers = layers
    request.unlearning.learningRate = learningRate
    request.unlearning.rise = rise
    request.unlearning.damping = damping
    request.unlearning.steps = steps
    request.pieceDraws = pieceDraws
    request.trackDraws = trackDraws
    request.windowSeconds = window
    request.times = try Self.times(times, of: location)
    request.fisherTracks = fisherTracks
    request.fisherDraws = fisherDraws
    request.masksPiece = maskPiece
    request.masksTracks = maskTracks
    request.candidates = candidates
    request.batch = batch
    request.threads = threads
    request.heldOut = heldOut.map(absolute)
    request.embeddings = embeddings.map(absolute)
    request.hearsCaptions = captions ? true : nil
    request.text = text
    request.memory = memory
    if let shard {
      let parts = shard.split(separator: "/").map { Int($0) ?? 0 }
      request.shard = parts.isEmpty ? [0, 0] : parts
    }
    return request
  }

  /// FROM-TO; nil stands for all times. For the kind of network that they were measured on, the times that tell
  /// tracks apart (Attribution/Study).
  static func times(_ text: String?, of folder: URL) throws -> [Double]? {
    guard let text else { return try companion(of: folder) == nil ? nil : [0.1, 0.5] }
    let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Double($0) }
    guard parts.count == 2, let from = parts[0], let to = parts[1] else {
      throw CommandError.badValue(
        option: "--times", value: text, expected: "FROM-TO within 0 and 1, as 0.1-0.4")
    }
    return [from, to]
  }

  private static func isDiffusion(_ folder: URL) -> Bool {
    ["model_config.json", "dit.json"].contains {
      FileManager.default.fileExists(atPath: folder.appendingPathComponent($0).path)
    }
  }

  /// A diffusion model's folder has no config.json, which `ModelLocation` asks for.
  static func folder(ofModel model: String) throws -> URL {
    let folder = URL(fileURLWithPath: model, isDirectory: true)
    if isDiffusion(folder) { return folder }
    let shipped = HouseModel.resources.appendingPathComponent(model, isDirectory: true)
    if !model.contains("/"),
      FileManager.default.fileExists(
        atPath: shipped.appendingPathComponent("model_config.json").path)
    {
      return shipped
    }
    return try ModelLocation.find(model, shipped: HouseModel.resources).folder
  }

  /// The checkpoint by whose codec and text encoder a diffusion model of the house's kind hears codes; nil for
  /// other models.
  static func companion(of folder: URL) throws -> String? {
    let scale = folder.appendingPathComponent("normalisation.safetensors")
    guard FileManager.default.fileExists(atPath: scale.path) else { return nil }
    return try ModelLocation.find("house", shipped: HouseModel.resources).folder
      .standardizedFileURL.path
  }

  private func tell(_ ranking: Ranking) throws {
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      var short = ranking
      short.tracks = Array(ranking.tracks.prefix(20))
      print(String(decoding: try encoder.encode(short), as: UTF8.self))
      return
    }
    print("\(ranking.kind): \(ranking.question)")
    for (place, entry) in ranking.tracks.prefix(10).enumerated() {
      let track = entry.track
      let score = String(format: "%+.3e", entry.score)
      print(
        "\(place + 1). \(score)  \(printable(track.title.isEmpty ? track.id : track.title))"
          + "  \(printable(track.artist))  \(printable(track.licence))")
    }
    if let meaning = ranking.meaning { print("a score is: \(meaning)") }
    if let rank = ranking.checks.ownRank { print("the piece itself ranks \(rank)") }
    print("report: \(out)/report.html")
  }
}

struct AttributeMergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge", abstract: "Puts the parts of a sharded attribution together.")

  @Argument(help: "The parts' folders.") var parts: [String]
  @Option(help: "The folder of the result.") var out: String

  func run() throws {
    let rankings = try parts.map { try Ranking(folder: URL(fileURLWithPath: $0)) }
    let whole = try Ranking.merge(rankings)
    try RankingReport([whole]).write(to: URL(fileURLWithPath: out))
    print("\(whole.tracks.count) tracks of \(parts.count) parts: \(out)/report.html")
  }
}

struct AttributeJobsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "Lists or cancels the jobs of continuo-worker.")

  @Option(help: "The job store; default: the user's own.") var store: String?
  @Option(help: "Cancel this job.") var cancel: Int64?
  @Flag(help: "As JSON.") var json = false

  func run() throws {
    let jobs = try JobStore(
      file: store.map { URL(fileURLWithPath: $0) } ?? AttributionPlaces.store())
    if let cancel { try jobs.cancel(cancel) }
    let all = try jobs.jobs()
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      print(String(decoding: try encoder.encode(all.map(Line.init)), as: UTF8.self))
      return
    }
    for job in all {
      let left =
        (job.secondsLeft.map { ", \(Int($0)) s left" } ?? "")
        + (job.attempts > 1 ? ", attempt \(job.attempts)" : "")
      print(
        "\(job.id)  \(job.state.rawValue)  \(Int(job.progress * 100)) %\(left)  "
          + "\(printable(job.message))\(job.result.map { "  " + printable($0) } ?? "")")
    }
    if all.isEmpty { print("no jobs") }
  }

  private struct Line: Encodable {
    let id: Int64
    let state: String
    let progress: Double
    let secondsLeft: Double?
    let message: String
    let result: String?
    let attempts: Int

    init(_ job: Job) {
      id = job.id
      state = job.state.rawValue
      progress = job.progress
      secondsLeft = job.secondsLeft
      message = job.message
      result = job.result
      attempts = job.attempts
    }
  }
}

private func absolute(_ path: String) -> String {
  URL(fileURLWithPath: path).standardizedFileURL.path
}

private func names(_ values: [String]) -> String { values.joined(separator: ", ") }
