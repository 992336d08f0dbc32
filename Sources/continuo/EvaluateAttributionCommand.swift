// `continuo evaluate attribution`: the poster's study on any model and catalogue.

import ArgumentParser
import Attribution
import Foundation
import HouseModel
import Models
import Reporting

struct EvaluateAttributionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attribution",
    abstract: "Says how far attributions can be believed.",
    discussion: """
      Unlearns tracks of the catalogue itself, picked by k-means on codec features: R is the mean rank \
      of the unlearned track, 1 is perfect. With relatives in the catalogue (another mix, tempo, key …) \
      says where they rank, beside similarity methods. With pieces draws their score curves. What was \
      computed is kept: the same command after an interruption goes on where it was.

      --first-order scores all pieces at once from one gradient per track, which is what unlearning gives \
      for small rises: many queries and settings for the price of a few. From 8 pieces on, ranks are also told \
      against the others: by how far a track's score lies above what it has for the other pieces. --quality-clips lets the unlearned \
      networks make music and has the recogniser compare it with the test songs (FD).

      Examples:
        continuo evaluate attribution --first-order --twins 40 --out study
        continuo evaluate attribution --model house-dit --layers all-transformer --quality-clips 40 --out study-2
        continuo evaluate attribution --model my-model --catalogue Tracks --out study-3 more.safetensors=song-17
      """)

  @Option(help: "A model's name, or the path of its folder.") var model = "house"
  @Option(help: "The training catalogue's folder; default: the shipped one for the shipped models.")
  var catalogue: String?
  @Option(
    name: .customLong("held-out"),
    help: "A catalogue that was not trained on; default: the test songs for the shipped models.")
  var heldOut: String?
  @Option(help: "The folder of the results.") var out: String
  @Option(parsing: .unconditional, help: "Tracks that are unlearned per setting.") var queries = 40
  @Option(parsing: .unconditional, help: "Relatives that are unlearned.") var relatives = 40
  @Option(parsing: .unconditional, help: "Tracks that are planted a second time and unlearned.")
  var twins = 0
  @Flag(help: "A language model hears each track with its tags as the text.") var captions = false
  @Option(parsing: .unconditional, help: "Megabytes to stay below; costs time when it is little.")
  var memory: Int?
  @Option(help: "Layers, separated by commas.")
  var layers = "all-transformer,self-attention,cross-attention,cross-attention-kv"
  @Option(help: "Rises of the own loss, separated by commas.") var rises = "0.001,0.01"
  @Option(help: "Dampings, relative to each tensor's mean Fisher information, separated by commas.")
  var dampings = "0.1"
  @Flag(
    name: .customLong("first-order"),
    help: "One gradient per track instead of unlearning; --memory bounds the pieces of a pass.")
  var isFirstOrder = false
  @Option(
    name: .customLong("quality-clips"), parsing: .unconditional,
    help: "Clips per setting that unlearned networks make, for their Fréchet distance; 0 for none.")
  var qualityClips = 0
  @Option(help: "The folder of the outside judge; default: the shipped one.") var recogniser:
    String?
  @Flag(help: "Each setting with every combination of the masks M_U and M_L.") var masks = false
  @Option(parsing: .unconditional, help: "Draws of each unlearned track.") var pieceDraws = 16
  @Option(parsing: .unconditional, help: "Draws of each scored track.") var trackDraws = 2
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
  @Option(parsing: .unconditional, help: "Score only the N tracks that sound most alike.")
  var candidates: Int?
  @Option(parsing: .unconditional, help: "Compute threads; 0 for one per processor.")
  var threads = 0
  @Option(help: "The job store; default: the user's own.") var store: String?
  @Option(help: "The folder of cached Fisher informations.") var cache: String?
  @Argument(
    help: "Generated pieces: takes, codes or sound files; PIECE=ID when it continues a track.")
  var pieces: [String] = []

  func run() throws {
    let watch = InterruptWatch()
    let bar = ProgressBar("evaluating", total: 1)
    var share = 0.0
    let request = try request()
    let evaluation = try AttributionEvaluation(
      request,
      store: try JobStore(
        file: store.map { URL(fileURLWithPath: $0) } ?? AttributionPlaces.store()),
      cache: cache.map { URL(fileURLWithPath: $0) } ?? AttributionPlaces.cache(),
      isFirstOrder: isFirstOrder, quality: try judge(of: request)
    ) { done, what in
      if watch.isInterrupted { throw CommandError.interrupted(output: out) }
      if done >= 0 { share = done }
      bar.show(share, note: what)
    }
    let result = try evaluation.run(
      grid: try grid(), queries: queries, relatives: relatives,
      twins: twins, pieces: pieces.map(piece))
    bar.finish()
    try result.write(to: URL(fileURLWithPath: out), curves: evaluation.curves)
    print(result.text)
  }

  private func request() throws -> AttributionRequest {
    guard (1...100_000).contains(queries), relatives >= 0, twins >= 0 else {
      throw CommandError.badValue(option: "--queries", value: "\(queries)", expected: "at least 1")
    }
    let folder = try AttributeRunCommand.folder(ofModel: model).standardizedFileURL
    let shipped = HouseModel.catalogue(of: folder)
    guard let tracks = catalogue.map({ URL(fileURLWithPath: $0) }) ?? shipped else {
      throw ValidationError("Say with --catalogue which tracks the model was trained on.")
    }
    var request = AttributionRequest(
      model: folder.path, catalogue: tracks.standardizedFileURL.path, piece: "", out: out)
    request.companion = try AttributeRunCommand.companion(of: folder)
    request.pieceDraws = pieceDraws
    request.trackDraws = trackDraws
    request.windowSeconds = window
    request.times = try AttributeRunCommand.times(times, of: folder)
    request.fisherTracks = fisherTracks
    request.candidates = candidates
    request.threads = threads
    request.hearsCaptions = captions ? true : nil
    request.memory = memory
    request.heldOut =
      heldOut.map { URL(fileURLWithPath: $0).standardizedFileURL.path }
      ?? (shipped == nil ? nil : TestSongs.shipped)
    try request.check()
    return request
  }

  /// Who judges the music of unlearned networks; nil when nobody is asked to.
  private func judge(of request: AttributionRequest) throws -> QualityJudge? {
    if qualityClips == 0 { return nil }
    guard (2...100_000).contains(qualityClips) else {
      throw CommandError.badValue(
        option: "--quality-clips", value: "\(qualityClips)", expected: "0, or 2 to 100000")
    }
    if isFirstOrder {
      throw CommandError.clash(
        what: "--quality-clips needs unlearned networks, --first-order unlearns none",
        remedy: "leave one of them out")
    }
    return try GenerationQuality(
      model: URL(fileURLWithPath: request.model),
      companion: request.companion.map { URL(fileURLWithPath: $0) },
      recogniser: recogniser.map { URL(fileURLWithPath: $0) }
        ?? HouseModel.resources.appendingPathComponent("recogniser"),
      catalogue: request.heldOut ?? TestSongs.shipped, threads: threads
    ).judge(clips: qualityClips)
  }

  /// PIECE or PIECE=ID; a file whose name holds the sign is a piece as it is.
  private func piece(_ text: String) -> EvaluationPiece {
    func path(_ text: String) -> String { URL(fileURLWithPath: text).standardizedFileURL.path }
    guard !FileManager.default.fileExists(atPath: text), let sign = text.lastIndex(of: "=") else {
      return EvaluationPiece(path: path(text))
    }
    return EvaluationPiece(
      path: path(String(text[..<sign])), track: String(text[text.index(after: sign)...]))
  }

  private func grid() throws -> [EvaluationSetting] {
    let choices = try layers.split(separator: ",").map {
      guard let choice = LayerChoice(rawValue: String($0)) else {
        throw CommandError.badValue(
          option: "--layers", value: String($0),
          expected: LayerChoice.allCases.map(\.rawValue).joined(separator: ", "))
      }
      return choice
    }
    func numbers(_ text: String, _ option: String) throws -> [Double] {
      try text.split(separator: ",").map {
        guard let number = Double($0), number > 0, number.isFinite else {
          throw CommandError.badValue(option: option, value: String($0), expected: "above 0")
        }
        return number
      }
    }
    let sizes = try numbers(rises, "--rises")
    let floors = try numbers(dampings, "--dampings")
    let pairs =
      masks ? [(true, false), (true, true), (false, false), (false, true)] : [(true, false)]
    return choices.flatMap { choice in
      sizes.flatMap { rise in
        floors.flatMap { damping in
          pairs.map {
            EvaluationSetting(
              layers: choice, masksPiece: $0.0, masksTracks: $0.1, rise: rise, damping: damping)
          }
        }
      }
    }
  }
}
