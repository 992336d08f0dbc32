// `continuo render`: music into a file, from a prompt, a text or nothing. Offline; the same loop as the
// daemon's.

import ArgumentParser
import Audio
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

extension WeightFormat: ExpressibleByArgument {}
extension DiffusionSampler.Method: ExpressibleByArgument {}

struct RenderCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "render",
    abstract: "Continues an audio file, or makes music from a text, into a file.",
    discussion: """
      The output begins with the prompt, as the model hears it, and goes on for --seconds of new music. \
      More than 30 seconds are made by windows that follow each other without a seam. The same seed gives \
      the same music, whatever the number of threads.

      Examples:
        continuo render --model house --prompt riff.wav --seconds 20 --out more.wav
        continuo render --model house --text "slow jazz with piano" --seconds 30 --out jazz.flac
        continuo render --prompt riff.wav --knob drums=1 --picture more.svg --out more.wav
        continuo render --model ./house-dit --text "slow jazz with piano" --seconds 10 --out jazz.wav
        continuo render --score takes/take-2026-11-21-201530 --out again.wav
        continuo render --model ./musicgen-small --prompt riff.wav --prompt-seconds 5 --seed 7 \\
          --out more.flac --codes more.safetensors --picture more.svg
      """)

  @Option(help: "A model's name, or the path of its folder (default: house, or the take's own).")
  var model: String?
  @Option(help: "A sound file to continue, of any common format, rate and channel count.")
  var prompt: String?
  @Option(
    name: .customLong("prompt-seconds"), parsing: .unconditional,
    help: "How much of the prompt's end is heard.")
  var promptSeconds = 10.0
  @Option(help: "What the music should be like.") var text: String?
  @Option(parsing: .unconditional, help: "Seconds of new music, behind the prompt.") var seconds =
    20.0
  @Flag(name: .customLong("without-prompt"), help: "Write the new music only.")
  var withoutPrompt = false
  @Option(help: "The same number gives the same music; default: a random one, which is told.")
  var seed: UInt64?
  @Option(
    parsing: .unconditional,
    help: "Above 1 is bolder, below 1 more careful, 0 always takes the likeliest.")
  var temperature: Float = 1
  @Option(
    name: .customLong("top-k"), parsing: .unconditional,
    help: "Draw from the k likeliest codes only; 0 for all.")
  var topK = 250
  @Option(
    name: .customLong("top-p"), parsing: .unconditional,
    help: "Draw from the likeliest codes that together reach this probability; 1 for all.")
  var topP: Float = 1
  @Option(
    parsing: .unconditional,
    help: "How strongly the text is followed; 1 costs half the time. Without text unused.")
  var guidance: Float = 3
  @Option(
    parsing: .unconditional,
    help:
      "How strongly the last bars of the prompt come back, in nats, 0 to 20; default: the model's, 12 for house."
  )
  var recall: Float?
  @Option(
    help:
      "How weights are kept in memory: f32, bf16, int8 or int4 (default: int8, or the take's own).")
  var weights: WeightFormat?
  @Option(parsing: .unconditional, help: "Compute threads; default: one per core, at most 8.")
  var threads: Int?
  @Option(help: "The sound file to write: .wav, .flac, .ogg or .aiff.") var out: String
  @Option(help: "Write the codes, with the prompt's, as safetensors (codebooks, frames).")
  var codes: String?
  @Option(help: "Write a picture: waveform, spectrogram, the join, readings of knobs (.svg).")
  var picture: String?
  @Option(
    help: "A take's folder, or the score.osc in it: made again as it was played, knob by knob.")
  var score: String?
  @Option(help: "With --score: frames per second of the output (default: the model's).")
  var rate: Int?
  @Option(help: "With a diffusion model: dpmpp-3m-sde, dpmpp-3m (no fresh noise) or ddim.")
  var sampler: DiffusionSampler.Method?
  @Option(parsing: .unconditional, help: "With a diffusion model: evaluations of its network.")
  var steps: Int?
  @OptionGroup(title: "Knobs") var knobs: KnobOptions
  @Flag(help: "The summary as JSON.") var json = false

  func run() throws {
    if let score {
      let summary = try ScoreRendering(checked(score: score)).run()
      if json { try printJSON(summary) } else { print(summary.text) }
      return
    }
    let folder = model.flatMap { try? AttributeRunCommand.folder(ofModel: $0) }
    let summary =
      if let folder, DiffusionModel.isModel(folder) {
        try DiffusionRendering(checked(diffusion: folder)).run()
      } else {
        try Rendering(checked()).run()
      }
    if json {
      try printJSON(summary)
    } else {
      print(summary.text)
    }
  }

  /// A diffusion model makes whole pieces from a text; it continues nothing and has no knobs.
  private func checked(diffusion folder: URL) throws -> DiffusionRequest {
    let others: [(String, Bool)] = [
      ("--prompt", prompt != nil), ("--codes", codes != nil), ("--knob", !knobs.knob.isEmpty),
      ("--meters", knobs.meters != nil), ("--weights", weights != nil), ("--rate", rate != nil),
    ]
    if let (option, _) = others.first(where: { $0.1 }) {
      throw CommandError.clash(
        what: "\(option) is for language models; \(folder.lastPathComponent) is a diffusion model",
        remedy: "leave it out: a diffusion model makes music from a text alone")
    }
    try checkNumbers()
    let count = steps ?? DiffusionSampler().steps
    try number("--steps", Double(count), 1...1000, "")
    try checkOutputs()
    var chosen = DiffusionSampler()
    chosen.method = sampler ?? chosen.method
    chosen.steps = count
    let words = text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    return DiffusionRequest(
      folder: folder,
      companion: try ModelLocation.find("house", shipped: HouseModel.resources).folder,
      text: words.isEmpty ? nil : words, seconds: seconds, sampler: chosen, guidance: guidance,
      seed: seed ?? UInt64.random(in: 0..<1 << 32),
      threads: threads ?? min(ProcessInfo.processInfo.activeProcessorCount, 8),
      out: URL(fileURLWithPath: out), picture: picture.map { URL(fileURLWithPath: $0) })
  }

  /// A score holds everything that the other options would say.
  private func checked(score: String) throws -> ScoreRequest {
    let others: [(String, Bool)] = [
      ("--prompt", prompt != nil), ("--text", text != nil), ("--seed", seed != nil),
      ("--knob", !knobs.knob.isEmpty), ("--meters", knobs.meters != nil),
    ]
    if let (option, _) = others.first(where: { $0.1 }) {
      throw CommandError.clash(
        what: "\(option) and --score contradict each other: the score says what was played",
        remedy: "leave one of them out")
    }
    if let threads { try number("--threads", Double(threads), 1...256, "") }
    if let rate { try number("--rate", Double(rate), 8000...384_000, " Hz") }
    try checkOutputs()
    return ScoreRequest(
      take: ScoreRendering.folder(of: score), model: model, weights: weights,
      threads: threads ?? min(ProcessInfo.processInfo.activeProcessorCount, 8),
      bundles: knobs.bundle, rate: rate, keepsPrompt: !withoutPrompt,
      out: URL(fileURLWithPath: out), codes: codes.map { URL(fileURLWithPath: $0) },
      picture: picture.map { URL(fileURLWithPath: $0) })
  }

  private func number(
    _ option: String, _ value: Double, _ range: ClosedRange<Double>, _ unit: String
  ) throws {
    guard range.contains(value) else {
      throw CommandError.badValue(
        option: option, value: "\(value)",
        expected: "a number from \(trim(range.lowerBound)) to \(trim(range.upperBound))\(unit)")
    }
  }

  /// Everything that can be known to be wrong before any work is done.
  private func checked() throws -> RenderRequest {
    if rate != nil {
      throw CommandError.clash(
        what: "--rate is for --score; other music has the model's rate",
        remedy: "leave it out, or convert the file afterwards")
    }
    if sampler != nil || steps != nil {
      throw CommandError.clash(
        what: "--\(sampler != nil ? "sampler" : "steps") is for diffusion models",
        remedy: "leave it out, or name a diffusion model with --model")
    }
    try checkNumbers()
    try checkOutputs()
    let location = try ModelLocation.find(model ?? "house", shipped: HouseModel.resources)
    let words = text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    return RenderRequest(
      model: location, prompt: prompt.map { URL(fileURLWithPath: $0) },
      promptSeconds: promptSeconds, text: words.isEmpty ? nil : words, seconds: seconds,
      keepsPrompt: !withoutPrompt,
      settings: SamplingSettings(
        temperature: temperature, topK: topK, topP: topP, guidance: guidance,
        recall: try recall ?? ModelSampling(folder: location.folder).recall,
        seed: seed ?? UInt64.random(in: 0..<1 << 32)),
      weights: weights ?? .standard,
      threads: threads ?? min(ProcessInfo.processInfo.activeProcessorCount, 8),
      out: URL(fileURLWithPath: out), codes: codes.map { URL(fileURLWithPath: $0) },
      picture: picture.map { URL(fileURLWithPath: $0) }, knobs: try knobs.request())
  }

  /// Numbers and text that every kind of model knows.
  private func checkNumbers() throws {
    try number("--seconds", seconds, 0.02...3600, " seconds")
    try number("--prompt-seconds", promptSeconds, 0.1...3600, " seconds")
    try number("--temperature", Double(temperature), 0...100, "")
    if let recall { try number("--recall", Double(recall), 0...20, "") }
    try number("--top-k", Double(topK), 0...1_000_000, "")
    try number("--top-p", Double(topP), 0.000001...1, "")
    try number("--guidance", Double(guidance), 0...100, "")
    if let threads { try number("--threads", Double(threads), 1...256, "") }
    if let text, text.utf8.count > 10_000 {
      throw CommandError.badValue(
        option: "--text", value: "of \(text.utf8.count) bytes", expected: "at most 10000 bytes")
    }
  }

  /// Every output has a place of its own that can be written, in a format that is known.
  private func checkOutputs() throws {
    let outputs = [
      ("--out", out), ("--codes", codes), ("--picture", picture), ("--meters", knobs.meters),
    ]
    .compactMap { option, path in path.map { (option, URL(fileURLWithPath: $0)) } }
    for (option, url) in outputs { try OutputPlace.check(url, option: option) }
    for (index, output) in outputs.enumerated() {
      for other in outputs[..<index] where OutputPlace.same(output.1, other.1) {
        throw CommandError.clash(
          what: "\(other.0) and \(output.0) name the same file \(printable(output.1.path))",
          remedy: "give them different names")
      }
      if let prompt, OutputPlace.same(output.1, URL(fileURLWithPath: prompt)) {
        throw CommandError.clash(
          what: "\(output.0) would overwrite the prompt \(printable(prompt))",
          remedy: "choose another name")
      }
    }
    guard AudioFile.canWrite(URL(fileURLWithPath: out)) else {
      throw AudioFileError.unknownExtension(path: out)
    }
  }

  private func trim(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : String(value)
  }
}
