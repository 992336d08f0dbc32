// What a knob does, to listen to: the same prompt continued without it and with it at strength 1.
//
// In: a bundle and a model. Out: a clip (prompt, plain continuation, half a second of silence, prompt, turned
// continuation; so for each knob in turn), brought to −14 LUFS with true peaks below −1 dB, as a FLAC file in memory.

import Audio
import Engine
import Foundation
import HouseModel
import Kernels
import Models
import Reporting

/// Renders previews.
struct PresetPreview {
  let model: MusicGen
  let pool: ComputePool
  /// Seconds of new music, each way.
  var seconds: Double
  var seed: UInt64
  /// Sound to continue; nil for the shipped test songs, or for nothing.
  var prompt: URL?

  /// Seconds of prompt.
  static let promptSeconds = 3.0
  /// Loudness of a preview in LUFS.
  static let loudness = -14.0

  /// What was rendered for one knob.
  struct Part {
    var trait: String
    /// Share of the steps in which the probes find the trait, without the knob and with it.
    var success: (without: Float, with: Float)
  }

  /// The preview of all knobs of a bundle.
  /// - Throws: what reading a prompt and writing a file throw.
  func make(_ bundle: PresetBundle) throws -> (flac: Data, parts: [Part]) {
    let rate = model.config.sampleRate
    let gap = [Float](repeating: 0, count: rate / 2)
    var sound = [[Float]](repeating: [], count: model.channels)
    var parts: [Part] = []
    for trait in bundle.manifest.traits {
      let prompt = try codes(for: trait.id)
      let knob = PresetKnob(bundle: bundle, trait: trait)
      var rates: [Float] = []
      for strength in [Float(0), 1] {
        let (made, success) = try continued(prompt, knob, strength: strength)
        rates.append(success)
        for channel in sound.indices {
          if !sound[channel].isEmpty { sound[channel] += gap }
          sound[channel] += made[channel]
        }
      }
      parts.append(Part(trait: trait.id, success: (rates[0], rates[1])))
    }
    var clip = AudioClip(rate: rate, channels: sound)
    let gain = Loudness(of: clip).gain(to: Self.loudness)
    for channel in clip.channels.indices {
      for index in clip.channels[channel].indices { clip.channels[channel][index] *= gain }
    }
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("continuo-preview-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("preview.flac")
    try AudioFile.write(clip, to: file, encoding: .bits16)
    return (try Data(contentsOf: file), parts)
  }

  /// Sound and success rate of one continuation, prompt included.
  private func continued(_ prompt: [Int32], _ knob: PresetKnob, strength: Float) throws
    -> (sound: [[Float]], success: Float)
  {
    let config = model.config.decoder
    let steering = Steering(layers: config.layers, width: config.hidden)
    steering.place(knob.direction(model: model.languageModel, pool: pool), slot: 0)
    steering.settings[0] = knob.trait.defaults.settings
    steering.settings[0].strength = strength
    let frames = prompt.count / config.codebooks + Int(seconds * Double(model.stepsPerSecond))
    let generator = CodeGenerator(
      model: model.languageModel, prompt: prompt, settings: SamplingSettings(seed: seed),
      steering: steering, frameLimit: frames, pool: pool)
    steering.settings[0].start = generator.nextStep
    steering.settings[0].decaySteps = frames
    while generator.wholeFrames < frames { generator.step() }
    return (
      try model.decode(generator.codes(0..<frames), pool: pool),
      steering.state.slots[0].successRate ?? 0
    )
  }

  /// The prompt: a sound, or a test song in which the trait does not sound, or nothing.
  private func codes(for trait: String) throws -> [Int32] {
    let frames = Int(Self.promptSeconds * Double(model.stepsPerSecond))
    let codebooks = model.config.decoder.codebooks
    if let prompt {
      let clip = try AudioFile.read(
        prompt, part: .first(seconds: Self.promptSeconds),
        channels: model.channels == 1 ? .mono : .stereo
      ).resampled(to: model.config.sampleRate)
      return try model.encode(clip.channels, pool: pool)
    }
    guard model.folder.path == HouseModel.resources.appendingPathComponent("house").path,
      let songs = try? ActivityCatalogue(URL(fileURLWithPath: TestSongs.shipped)),
      songs.groups.contains(trait)
    else { return [] }
    return try PromptSongs(catalogues: [songs], codebooks: codebooks, frames: frames).prompts(
      targets: [trait], present: false, isValidation: true, count: Int(seed % 8) + 1
    ).last?.codes ?? []
  }
}
