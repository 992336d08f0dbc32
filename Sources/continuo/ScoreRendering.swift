// `continuo render --score`: a take made again from its prompt, its seed and everything that was turned.

import Audio
import Engine
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

/// What is to be made again, checked.
struct ScoreRequest {
  /// The take's folder.
  var take: URL
  /// A model's name or folder; nil for the one that the take names.
  var model: String?
  /// nil for what the take was made with.
  var weights: WeightFormat?
  var threads: Int
  /// Bundle files or folders to look in before the installed ones.
  var bundles: [String]
  /// Frames per second of the output; nil for the model's.
  var rate: Int?
  var keepsPrompt: Bool
  var out: URL
  var codes: URL?
  var picture: URL?
}

/// What came of it.
struct ScoreSummary: Codable {
  var out: String
  var take: String
  var model: String
  var promptSeconds: Double
  var newSeconds: Double
  /// Whether the codes are those of the take.
  var sameCodes: Bool
  /// First frame, counted from the beginning of the prompt, whose codes differ; nil when none does.
  var firstDifference: Int?
  var makeSeconds: Double
  var realTimeFactor: Double

  var text: String {
    let verdict =
      sameCodes
      ? "the codes are those of the take"
      : "the codes differ from the take's from frame \(firstDifference ?? 0) on"
    return String(
      format: """
        %@: %.2f s of prompt, %.2f s of music from %@ (model %@); %@
        real-time factor %.3f
        """,
      out as NSString, promptSeconds, newSeconds, take as NSString, model as NSString,
      verdict as NSString, realTimeFactor)
  }
}

struct ScoreRendering {
  let request: ScoreRequest

  init(_ request: ScoreRequest) { self.request = request }

  /// The take's folder of a path: itself, or where its score.osc lies.
  static func folder(of path: String) -> URL {
    let url = URL(fileURLWithPath: path)
    return url.lastPathComponent == "score.osc" ? url.deletingLastPathComponent() : url
  }

  /// The bundle that steered the take: of those that are given and installed the one with the same files.
  /// - Throws: `CommandError.clash` when all that have this id hold something else.
  private func bundle(
    _ id: String, as played: TakeBundle?, near: [PresetBundle], library: PresetLibrary
  ) throws -> PresetBundle {
    var candidates = near.filter { $0.manifest.id == id }
    if let digest = played?.sha256 {
      candidates += library.list().compactMap { try? $0.bundle.get() }
        .filter { $0.manifest.id == id }
      if let same = candidates.first(where: { $0.files.digest == digest }) { return same }
      if let version = played?.version, !candidates.isEmpty {
        throw CommandError.clash(
          what: "the take was steered by \(id)@\(version) with SHA-256 \(digest.prefix(16))…, "
            + "and no bundle here has the same contents",
          remedy: "give that bundle with --bundle")
      }
    }
    return try candidates.first ?? library.find(id)
  }

  func run() throws -> ScoreSummary {
    let clock = ContinuousClock()
    let take = try RecordedTake(folder: request.take)
    let location = try ModelLocation.find(
      request.model ?? take.description.model, shipped: HouseModel.resources)
    let pool = ComputePool(threads: request.threads)
    let weights =
      request.weights ?? take.description.weights.flatMap(WeightFormat.init(rawValue:)) ?? .f32
    let model = try MusicGen(folder: location.folder, weights: weights, pool: pool)
    let identity = try ModelIdentity(
      name: location.name, config: model.config.decoder, folder: model.folder)
    if !take.description.fingerprint.isEmpty, take.description.fingerprint != identity.fingerprint {
      throw CommandError.clash(
        what: "\(request.take.path) was played by another model than \(location.name)",
        remedy: "give --model with the model that played it (\(take.description.model))")
    }
    let instrument = Instrument(languageModel: model.languageModel, codec: model.codec)
    let library = PresetLibrary()
    let near = try request.bundles.map { try library.find($0) }

    let began = clock.now
    let interrupts = InterruptWatch()
    let promptFrames = take.description.promptFrames
    let bar = ProgressBar("render", total: Double(take.description.frames - promptFrames))
    defer { bar.finish() }
    let codes = try take.replay(on: instrument, pool: pool) { frames in
      bar.show(Double(frames - promptFrames))
      if interrupts.isInterrupted { throw CommandError.interrupted(output: request.out.path) }
    } text: { words in
      try model.textContext(words, pool: pool)
    } direction: { source, _ in
      let played = take.description.bundles.first { $0.id == source.bundle }
      let knob = try PresetKnob.find(
        source.name, in: [try bundle(source.bundle, as: played, near: near, library: library)])
      _ = try knob.bundle.compatibility(with: identity)
      var options = knob.trait.defaults.options
      if let power = source.power { options.power = power }
      if let monitors = source.monitors { options.monitors = monitors }
      return knob.direction(model: model.languageModel, options: options, pool: pool)
    }
    let K = instrument.codebooks
    let made = Take.sound(
      of: codes, promptFrames: request.keepsPrompt ? 0 : promptFrames,
      loudness: take.description.loudness, instrument: instrument, pool: pool)
    // The daemon's own way to another rate, from the same sample numbers: a bounce and this agree
    // sample by sample.
    let rate = request.rate ?? instrument.sampleRate
    let resampler = SincResampler(from: instrument.sampleRate, to: rate)
    let start = request.keepsPrompt ? 0 : promptFrames * instrument.hop
    try AudioFile.write(
      AudioClip(rate: rate, channels: made.map { resampler.whole($0, start: start) }),
      to: request.out)
    let spent = (clock.now - began) / .seconds(1)
    if let url = request.codes {
      try CodesFile(
        codes: codes, codebooks: K,
        metadata: [
          "model": location.name, "fingerprint": identity.fingerprint,
          "prompt_frames": "\(promptFrames)",
        ]
      ).write(to: url)
    }
    let second = Double(instrument.framesPerSecond)
    if let url = request.picture {
      let picture = SoundPicture(
        title: "\(request.take.lastPathComponent), made again",
        clip: try AudioFile.read(request.out),
        join: request.keepsPrompt && promptFrames > 0 ? Double(promptFrames) / second : nil)
      try AtomicFile.write(Data(picture.svg().utf8), to: url)
    }
    let difference = zip(codes, take.codes).enumerated().first { $0.element.0 != $0.element.1 }
    let newSeconds = Double(take.description.frames - promptFrames) / second
    return ScoreSummary(
      out: request.out.path, take: request.take.path, model: location.name,
      promptSeconds: request.keepsPrompt ? Double(promptFrames) / second : 0,
      newSeconds: newSeconds, sameCodes: codes == take.codes,
      firstDifference: difference.map { $0.offset / K }, makeSeconds: spent,
      realTimeFactor: spent / max(newSeconds, 0.02))
  }
}
