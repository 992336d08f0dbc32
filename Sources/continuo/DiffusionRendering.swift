// The work of `continuo render` with a diffusion model: noise becomes latents, the house codec's decoder
// makes sound of them. The text is read by the house model's text encoder, as in training.

import Audio
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

/// What is to be made by diffusion, checked.
struct DiffusionRequest {
  var folder: URL
  /// The MusicGen checkpoint whose text encoder and codec belong to it.
  var companion: URL
  var text: String?
  var seconds: Double
  var sampler: DiffusionSampler
  var guidance: Float
  var seed: UInt64
  var threads: Int
  var out: URL
  var picture: URL?
}

struct DiffusionRendering {
  let request: DiffusionRequest

  init(_ request: DiffusionRequest) { self.request = request }

  /// Renders. Nothing appears under an output name unless it is whole.
  /// - Throws: what loading throws, `CommandError`.
  func run() throws -> RenderSummary {
    let clock = ContinuousClock()
    let started = clock.now
    let pool = ComputePool(threads: request.threads)
    let model = try DiffusionModel(folder: request.folder)
    if let longest = model.longest, request.seconds > longest {
      throw CommandError.badValue(
        option: "--seconds", value: "\(request.seconds)",
        expected: "at most \(longest): this model was made for no more")
    }
    let companion = try MusicGen(folder: request.companion)
    try check(model, companion)
    let loaded = clock.now
    let context = try request.text.map { try states(of: $0, model, companion, pool) }
    let listened = clock.now

    let frames = max(1, Int((request.seconds * model.framesPerSecond).rounded(.up)))
    let latent = try sample(
      model, context: context, count: model.network.config.channels * frames, frames: frames, pool)
    let samples = try companion.codec.decode(
      latents: model.denormalised(latent, frames: frames), pool: pool)
    let rate = companion.config.sampleRate
    let kept = min(samples.count, Int((request.seconds * Double(rate)).rounded()))
    try AudioFile.write(
      AudioClip(rate: rate, channels: [Array(samples[..<kept])]), to: request.out)
    let made = clock.now

    let clip = try AudioFile.read(request.out)
    if let picture = request.picture {
      let name = "\(request.out.lastPathComponent): \(request.folder.lastPathComponent)"
      let drawn = SoundPicture(
        title: "\(name), seed \(request.seed)", clip: clip, join: nil, panels: [])
      try AtomicFile.write(Data(drawn.svg().utf8), to: picture)
    }
    let loudness = Loudness(of: clip).integrated
    let makeSeconds = (made - listened) / .seconds(1)
    return RenderSummary(
      out: request.out.path, model: request.folder.lastPathComponent, seed: request.seed,
      promptSeconds: 0, newSeconds: request.seconds,
      loadSeconds: (loaded - started) / .seconds(1),
      listenSeconds: (listened - loaded) / .seconds(1), makeSeconds: makeSeconds,
      realTimeFactor: makeSeconds / request.seconds, threads: request.threads,
      loudness: loudness.isFinite ? loudness : nil, successRates: nil)
  }

  /// The latents' channels and rate, and the text states' width, are those of the companion.
  private func check(_ model: DiffusionModel, _ companion: MusicGen) throws {
    let config = model.network.config
    let width = companion.codec.config.hiddenSize
    guard config.channels == width, model.framesPerSecond == Double(companion.stepsPerSecond),
      companion.codec.config.audioChannels == 1,
      config.conditioningWidth == 0 || config.conditioningWidth == companion.config.text.width
    else {
      throw ModelError.unsupported(
        folder: request.folder.path,
        feature: """
          it makes \(config.channels) channels at \(model.framesPerSecond) frames per second and reads \
          text states of width \(config.conditioningWidth); the codec and text encoder of \
          \(companion.folder.lastPathComponent) have \(width), \(companion.stepsPerSecond) and \
          \(companion.config.text.width)
          """,
        remedy: "use a diffusion model that was trained on latents of the house model's codec")
    }
  }

  /// The text encoder's states (tokens, width), cut or filled up with zeros.
  private func states(
    of text: String, _ model: DiffusionModel, _ companion: MusicGen, _ pool: ComputePool
  ) throws -> [Float] {
    let ids = try TextTokenizer(directory: companion.folder).ids(of: text)
    let known = ids.prefix(DiffusionModel.tokens)
    if let wrong = known.first(where: { Int($0) >= companion.config.text.vocabulary }) {
      throw ModelError.badValue(
        file: companion.folder.appendingPathComponent("config.json").path,
        field: "text_encoder.vocab_size", value: "\(companion.config.text.vocabulary)",
        expected: "above \(wrong), an id of the vocabulary")
    }
    let found = companion.textEncoder.encode(Array(known), pool: pool).array()
    let width = model.network.config.conditioningWidth
    return found + [Float](repeating: 0, count: DiffusionModel.tokens * width - found.count)
  }

  private func sample(
    _ model: DiffusionModel, context: [Float]?, count: Int, frames: Int, _ pool: ComputePool
  ) throws -> [Float] {
    let interrupts = InterruptWatch()
    let bar = ProgressBar("render", total: Double(request.sampler.steps))
    defer { bar.finish() }
    let random = CounterRandom(seed: request.seed)
    let velocity = GuidedVelocity(
      model: model, frames: frames, context: context,
      global: model.global(seconds: request.seconds), guidance: request.guidance, pool: pool)
    var done = 0.0
    let latent = try request.sampler.sample(
      noise: { random.normal(step: $0, count: count) },
      velocity: { x, time in
        if interrupts.isInterrupted {
          throw CommandError.interrupted(output: request.out.path)
        }
        done += 1
        bar.show(done)
        return velocity(x, time)
      })
    guard latent.allSatisfy(\.isFinite) else {
      throw ModelError.badValue(
        file: request.folder.appendingPathComponent("model.safetensors").path, field: "its output",
        value: "not a number", expected: "finite")
    }
    return latent
  }
}
