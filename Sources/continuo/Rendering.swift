// The work of `continuo render`: load, listen, make, write.

import Audio
import Engine
import Foundation
import Kernels
import Models
import Reporting

/// What is to be rendered, checked.
struct RenderRequest {
  var model: ModelLocation
  var prompt: URL?
  var promptSeconds: Double
  var text: String?
  /// Seconds of new music.
  var seconds: Double
  /// Whether the output begins with the prompt.
  var keepsPrompt: Bool
  var settings: SamplingSettings
  var weights: WeightFormat
  var threads: Int
  var out: URL
  var codes: URL?
  var picture: URL?
  /// nil without knobs.
  var knobs: KnobRequest?
}

/// What was rendered, and how fast.
struct RenderSummary: Codable {
  var out: String
  var model: String
  var seed: UInt64
  /// Seconds of prompt in the output.
  var promptSeconds: Double
  /// Seconds of new music.
  var newSeconds: Double
  /// Seconds that loading the model took.
  var loadSeconds: Double
  /// Seconds that listening to prompt and text took.
  var listenSeconds: Double
  /// Seconds that making, decoding and writing the music took.
  var makeSeconds: Double
  /// Seconds needed per second of new music; below 1 is faster than real time.
  var realTimeFactor: Double
  var threads: Int
  /// Integrated loudness of the output in LUFS; absent for silence.
  var loudness: Double?
  /// Share of the new steps in which each knob's trait was there; absent without knobs.
  var successRates: [String: Double]?

  var text: String {
    let rates = (successRates ?? [:]).sorted { $0.key < $1.key }
      .map { String(format: "\nknob %@: success rate %.1f %%", $0.key as NSString, $0.value * 100) }
      .joined()
    let lufs = loudness.map { String(format: ", %.1f LUFS", $0) } ?? ""
    return String(
      format: """
        %@: %.2f s of prompt, %.2f s of new music%@ (model %@, seed %llu)
        real-time factor %.3f (%.2f s for %.2f s of music, %d threads; loading %.2f s, listening %.2f s)
        """,
      out as NSString, promptSeconds, newSeconds, lufs as NSString, model as NSString, seed,
      realTimeFactor, makeSeconds, newSeconds, threads, loadSeconds, listenSeconds) + rates
  }
}

struct Rendering {
  let request: RenderRequest

  init(_ request: RenderRequest) { self.request = request }

  /// Renders. Nothing appears under any output name unless that output is whole.
  func run() throws -> RenderSummary {
    let clock = ContinuousClock()
    let started = clock.now
    // The prompt is looked at before the model is loaded: what is wrong with it shows at once.
    if let prompt = request.prompt { _ = try AudioFile.info(prompt) }
    let pool = ComputePool(threads: request.threads)
    let preparing = ProgressBar("prepare \(request.weights.rawValue)", total: 1)
    let model = try MusicGen(folder: request.model.folder, weights: request.weights, pool: pool) {
      preparing.show($0)
    }
    preparing.finish()
    let loaded = clock.now

    let rate = model.config.sampleRate
    let hop = model.codec.hop
    let channels = model.config.decoder.audioChannels
    let prompt = try request.prompt.map {
      try Prompt(
        contentsOf: $0, seconds: request.promptSeconds, rate: rate, channels: channels, hop: hop)
    }
    let newSamples = Int((request.seconds * Double(rate)).rounded())
    let rack = try request.knobs.map {
      try KnobRack($0, model: model, name: request.model.name, pool: pool)
    }
    for warning in rack?.warnings ?? [] {
      FileHandle.standardError.write(Data("continuo: warning: \(warning)\n".utf8))
    }
    let continuation = try Continuation(
      model: model,
      prompt: prompt?.channels ?? [[Float]](repeating: [], count: channels),
      text: request.text, newFrames: (newSamples + hop - 1) / hop, settings: request.settings,
      steering: rack?.steering, pool: pool)
    rack?.begin(
      atStep: continuation.generator.nextStep,
      steps: continuation.frames - continuation.promptFrames)
    continuation.generator.prefill()
    let listened = clock.now

    let promptSamples = continuation.promptFrames * hop
    let skipped = request.keepsPrompt ? 0 : promptSamples
    let end = promptSamples + newSamples
    try write(continuation, samples: skipped..<end, rate: rate, rack: rack, started: listened)
    try rack?.writeMeters()
    let made = clock.now

    let head = request.keepsPrompt ? Double(promptSamples) / Double(rate) : 0
    if let codes = request.codes { try write(continuation, codes: codes) }
    let clip = try AudioFile.read(request.out)
    if let picture = request.picture {
      try draw(
        clip, to: picture, join: head > 0 ? head : nil, panels: rack?.panels(start: head) ?? [])
    }
    let loudness = Loudness(of: clip).integrated
    let makeSeconds = seconds(made - listened)
    return RenderSummary(
      out: request.out.path, model: request.model.name, seed: request.settings.seed,
      promptSeconds: head, newSeconds: request.seconds, loadSeconds: seconds(loaded - started),
      listenSeconds: seconds(listened - loaded), makeSeconds: makeSeconds,
      realTimeFactor: makeSeconds / request.seconds, threads: request.threads,
      loudness: loudness.isFinite ? loudness : nil,
      successRates: rack.map { rack in
        Dictionary(rack.successRates.map { ($0.knob, $0.rate) }, uniquingKeysWith: { a, _ in a })
      })
  }

  /// Makes the music into the output file.
  /// - Parameter samples: which part of prompt and new music is kept.
  private func write(
    _ continuation: Continuation, samples: Range<Int>, rate: Int, rack: KnobRack?,
    started: ContinuousClock.Instant
  ) throws {
    let interrupts = InterruptWatch()
    let bar = ProgressBar("render", total: Double(continuation.frames - continuation.promptFrames))
    defer { bar.finish() }
    try AudioFile.write(
      to: request.out, rate: rate, channels: continuation.model.config.decoder.audioChannels
    ) { writer in
      var position = 0
      try continuation.run(
        afterStep: { generator in
          rack?.note()
          let done = Double(generator.wholeFrames - continuation.promptFrames)
          if done > 0 {
            let factor = seconds(ContinuousClock.now - started) / (done / 50)
            bar.show(done, note: String(format: "%.2f × real time", factor))
          }
          if interrupts.isInterrupted {
            throw CommandError.interrupted(output: request.out.path)
          }
        },
        sound: { block in
          let range = position..<position + block[0].count
          position = range.upperBound
          let kept = range.clamped(to: samples)
          guard !kept.isEmpty else { return }
          let part = kept.lowerBound - range.lowerBound..<kept.upperBound - range.lowerBound
          try writer.append(block.map { Array($0[part]) })
        })
    }
  }

  private func write(_ continuation: Continuation, codes url: URL) throws {
    try CodesFile(
      codes: continuation.generator.codes(0..<continuation.frames),
      codebooks: continuation.model.config.decoder.codebooks,
      metadata: [
        "model": request.model.name,
        "fingerprint": try ModelIdentity(
          name: request.model.name, config: continuation.model.config.decoder,
          folder: request.model.folder
        ).fingerprint, "seed": "\(request.settings.seed)",
        "prompt_frames": "\(continuation.promptFrames)",
      ]
    ).write(to: url)
  }

  private func draw(
    _ clip: AudioClip, to url: URL, join: Double?, panels: [SoundPicture.Panel]
  ) throws {
    let picture = SoundPicture(
      title:
        "\(request.out.lastPathComponent): \(request.model.name), seed \(request.settings.seed)",
      clip: clip, join: join, panels: panels)
    try AtomicFile.write(Data(picture.svg().utf8), to: url)
  }

  private func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }
}
