// How good the music of a network is whose parameters were changed: fresh clips, heard by the recogniser,
// against test songs through the same codec. The poster's column FD, with our embedding.
//
// Language models begin from nothing, without text; diffusion models make music from the test songs' tags.

import Attribution
import Audio
import Engine
import Foundation
import Kernels
import Models
import Reporting

/// Makes and judges clips. Used from one thread.
final class GenerationQuality {
  /// Seconds of a clip: as many embeddings.
  static let seconds = 5
  /// Test songs that clips are compared with.
  static let songs = 100
  /// Steps of the diffusion sampler: fewer than for listening.
  static let samplerSteps = 25

  private let music: MusicGen
  private let diffusion: DiffusionModel?
  private let recogniser: Recogniser
  private let pool: ComputePool
  private let test: [TestSong]

  /// - Parameters:
  ///   - model: the folder of a MusicGen checkpoint, or of a diffusion model with its `companion`.
  ///   - recogniser: its folder.
  ///   - catalogue: whose songs clips are compared with; codes of the model's codec.
  ///   - count: songs at most.
  ///   - threads: 0 for one per processor.
  /// - Throws: what loading throws, `CommandError` for a model whose music the recogniser cannot hear.
  init(
    model: URL, companion: URL?, recogniser folder: URL, catalogue: String,
    count: Int = GenerationQuality.songs, threads: Int
  ) throws {
    let isDiffusion = DiffusionModel.isModel(model)
    if isDiffusion, companion == nil {
      throw CommandError.badValue(
        option: "--quality-clips", value: model.lastPathComponent,
        expected: "a model whose latents the house codec decodes")
    }
    pool = ComputePool(
      threads: threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount)
    music = try MusicGen(folder: isDiffusion ? companion ?? model : model)
    diffusion = isDiffusion ? try DiffusionModel(folder: model) : nil
    recogniser = try Recogniser(folder: folder)
    guard recogniser.rate == music.config.sampleRate else {
      throw CommandError.badValue(
        option: "--quality-clips", value: "\(music.config.sampleRate) frames per second",
        expected: "a model of \(recogniser.rate), the recogniser's rate")
    }
    test = try TestSongs.of(
      [ActivityCatalogue(named: catalogue)],
      codebooks: music.config.decoder.codebooks, frames: Self.seconds * music.stepsPerSecond,
      count: count)
    try TestSongs.check(test, seconds: Double(Self.seconds))
  }

  /// A judge over so many clips per setting.
  func judge(clips: Int) throws -> QualityJudge {
    QualityJudge(clips: clips, reference: try songs { _ in true }) { [self] parameters, numbers in
      if let diffusion { return try listen(diffusion.with(parameters), numbers) }
      return try listen(try languageModel(with: parameters), numbers)
    }
  }

  /// The test songs at these places, through the codec.
  func songs(_ isMeant: (Int) -> Bool) throws -> GaussianFit {
    var fit = GaussianFit(dimension: recogniser.embedding)
    for (place, song) in test.enumerated() where isMeant(place) {
      fit.add(try embeddings(ofCodes: song.codes))
    }
    return fit
  }

  /// Clips of the model as it is.
  func clips(_ count: Int) throws -> GaussianFit {
    var fit = GaussianFit(dimension: recogniser.embedding)
    fit.add(
      try diffusion.map { try listen($0, 0..<count) } ?? listen(music.languageModel, 0..<count))
    return fit
  }

  private func listen(_ model: LanguageModel, _ numbers: Range<Int>) throws -> [Float] {
    let total = Self.seconds * music.stepsPerSecond
    var found: [Float] = []
    for start in stride(
      from: numbers.lowerBound, to: numbers.upperBound, by: LanguageModel.exactColumns)
    {
      let part = start..<min(start + LanguageModel.exactColumns, numbers.upperBound)
      let generators = part.map {
        CodeGenerator(
          model: model, settings: SamplingSettings(seed: 9001 + UInt64($0)), frameLimit: total,
          pool: pool)
      }
      while generators[0].wholeFrames < total { CodeGenerator.step(generators) }
      for generator in generators {
        found += try embeddings(ofCodes: generator.codes(0..<total))
      }
    }
    return found
  }

  private func listen(_ model: DiffusionModel, _ numbers: Range<Int>) throws -> [Float] {
    let frames = Self.seconds * music.stepsPerSecond
    let width = model.network.config.conditioningWidth
    var sampler = DiffusionSampler()
    sampler.steps = Self.samplerSteps
    var found: [Float] = []
    for number in numbers {
      let tags = test[number % test.count].track?.tags?.joined(separator: ", ") ?? ""
      let ids = try TextTokenizer(directory: music.folder).ids(of: tags)
        .prefix(DiffusionModel.tokens)
      let states = music.textEncoder.encode(Array(ids), pool: pool).array()
      let context =
        states + [Float](repeating: 0, count: DiffusionModel.tokens * width - states.count)
      let random = CounterRandom(seed: 9001 + UInt64(number))
      let velocity = GuidedVelocity(
        model: model, frames: frames, context: width == 0 || ids.isEmpty ? nil : context,
        global: model.global(seconds: Double(Self.seconds)), guidance: 3, pool: pool)
      let latent = sampler.sample(
        noise: { random.normal(step: $0, count: frames * model.network.config.channels) },
        velocity: { velocity($0, $1) })
      found += embeddings(
        try music.codec.decode(latents: model.denormalised(latent, frames: frames), pool: pool))
    }
    return found
  }

  private func embeddings(ofCodes codes: [Int32]) throws -> [Float] {
    embeddings(
      AudioClip(
        rate: music.config.sampleRate, channels: try music.decode(codes, pool: pool)
      ).mono)
  }

  private func embeddings(_ samples: [Float]) -> [Float] {
    recogniser.hear(samples).embeddings.flatMap { $0 }
  }

  /// The language model with other parameters: by way of a file, which is how its weights are read.
  private func languageModel(with parameters: Parameters) throws -> LanguageModel {
    var values: [String: ParameterLayout.Entry] = [:]
    for entry in parameters.layout.entries { values[LanguageModelLoss.prefix + entry.name] = entry }
    let entries = try music.tensors.tensors.values
      .filter { $0.name.hasPrefix("decoder.") }.sorted { $0.name < $1.name }
      .map { tensor -> SafetensorsWriter.Entry in
        guard let entry = values[tensor.name] else {
          return .init(name: tensor.name, shape: tensor.shape, floats: try tensor.floats())
        }
        let part = parameters.values.span(entry.range)
        return .init(
          name: tensor.name, shape: tensor.shape, floats: part.indices.map { part[$0] })
      }
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("continuo-unlearned-\(UUID().uuidString).safetensors")
    defer { try? FileManager.default.removeItem(at: file) }
    try SafetensorsWriter.write(entries, to: file)
    return try LanguageModel(config: music.config.decoder, store: try TensorStore(file: file))
  }
}
