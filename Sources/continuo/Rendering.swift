// The work of `continuo render`: load, listen, make, write.

import Audio
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

  var text: String {
    let lufs = loudness.map { String(format: ", %.1f LUFS", $0) } ?? ""
    return String(
      format: """
        %@: %.2f s of prompt, %.2f s of new music%@ (model %@, seed %llu)
        real-time factor %.3f (%.2f s for %.2f s of music, %d threads; loading %.2f s, listening %.2f s)
        """,
      out as NSString, promptSeconds, newSeconds, lufs as NSString, model as NSString, seed,
      realTimeFactor, makeSeconds, newSeconds, threads, loadSeconds, listenSeconds)
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
    let continuation = try Continuation(
      model: model,
      prompt: prompt?.channels ?? [[Float]](repeating: [], count: channels),
      text: request.text, newFrames: (newSamples + hop - 1) / hop, settings: request.settings,
      pool: pool)
    continuation.generator.prefill()
    let listened = clock.now

    let promptSamples = continuation.promptFrames * hop
    let skipped = request.keepsPrompt ? 0 : promptSamples
    let end = promptSamples + newSamples
    try write(continuation, samples: skipped..<end, rate: rate, started: listened)
    let made = clock.now

    let head = request.keepsPrompt ? Double(promptSamples) / Double(rate) : 0
    if let codes = request.codes { try write(continuation, codes: codes) }
    let clip = try AudioFile.read(request.out)
    if let picture = request.picture {
      try draw(clip, to: picture, join: head > 0 ? head : nil)
    }
    let loudness = Loudness(of: clip).integrated
    let makeSeconds = seconds(made - listened)
    return RenderSummary(
      out: request.out.path, model: request.model.name, seed: request.settings.seed,
      promptSeconds: head, newSeconds: request.seconds, loadSeconds: seconds(loaded - started),
      listenSeconds: seconds(listened - loaded), makeSeconds: makeSeconds,
      realTimeFactor: makeSeconds / request.seconds, threads: request.threads,
      loudness: loudness.isFinite ? loudness : nil)
  }

  /// Makes the music into the output file.
  /// - Parameter samples: which part of prompt and new music is kept.
  private func write(
    _ continuation: Continuation, samples: Range<Int>, rate: Int,
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
        "model": request.model.name, "seed": "\(request.settings.seed)",
        "prompt_frames": "\(continuation.promptFrames)",
      ]
    ).write(to: url)
  }

  private func draw(_ clip: AudioClip, to url: URL, join: Double?) throws {
    let picture = SoundPicture(
      title:
        "\(request.out.lastPathComponent): \(request.model.name), seed \(request.settings.seed)",
      clip: clip, join: join)
    try AtomicFile.write(Data(picture.svg().utf8), to: url)
  }

  private func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }
}
