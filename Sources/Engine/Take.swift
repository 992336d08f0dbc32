// A take: everything that is needed to hear, examine and make again what was played.
//
// A folder: take.json, prompt.flac, codes.safetensors, score.osc, audio.flac (CONTRACT). It appears
// whole: written beside, then renamed.

import Audio
package import Foundation
package import Kernels
package import Models
package import Reporting

/// A take that cannot be used.
package enum TakeError: Explained, Equatable {
  case noTake(path: String, reason: String)
  case exists(path: String)

  package var kind: FailureKind { .data }
  package var problem: String {
    switch self {
    case .noTake(let path, let reason): "\(path) is no take: \(reason)"
    case .exists(let path): "\(path) exists already"
    }
  }
  package var remedy: String {
    switch self {
    case .noTake: "give a folder that /take/keep wrote"
    case .exists: "choose another name"
    }
  }
}

/// A bundle that steered a take.
package struct TakeBundle: Codable, Sendable, Equatable {
  package var id: String
  package var version: String
  /// SHA-256 over the bundle's files (`PresetFiles.digest`); nil in takes of older versions.
  package var sha256: String?

  package init(id: String, version: String, sha256: String?) {
    self.id = id
    self.version = version
    self.sha256 = sha256
  }

  package init(_ bundle: PresetBundle) {
    self.init(
      id: bundle.manifest.id, version: bundle.manifest.version, sha256: bundle.files.digest)
  }

  private enum CodingKeys: String, CodingKey { case id, version, sha256 }

  /// Older takes have "id@version".
  package init(from decoder: any Decoder) throws {
    if let name = try? decoder.singleValueContainer().decode(String.self) {
      let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        .map(String.init)
      self.init(id: parts.first ?? "", version: parts.count == 2 ? parts[1] : "", sha256: nil)
      return
    }
    let table = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      id: try table.decode(String.self, forKey: .id),
      version: try table.decode(String.self, forKey: .version),
      sha256: try table.decodeIfPresent(String.self, forKey: .sha256))
  }
}

/// What `take.json` says.
package struct TakeDescription: Codable, Sendable, Equatable {
  package var format = "continuo-take"
  package var version = 1
  package var model: String
  package var fingerprint: String
  /// f32, bf16, int8 or int4; nil in takes of older versions.
  package var weights: String?
  /// The bundles whose knobs were on a slot, sorted by id.
  package var bundles: [TakeBundle]
  package var promptFrames: Int
  package var frames: Int
  package var framesPerSecond: Double
  package var sampleRate: Int
  package var loudness: Double?
  package var windowLength: Int
  package var windowContext: Int
  package var windowRate: Int
  package var seed: UInt64
  package var temperature: Float
  package var topK: Int
  package var topP: Float
  /// Absent in takes of earlier versions, which knew none.
  package var recall: Float?
  /// What the music was told to be like; nil for nothing.
  package var text: String?
  package var written: String
}

/// A take to be written.
package struct Take: Sendable {
  private let material: TakeMaterial
  private let instrument: Instrument
  private let modelName: String
  private let bundles: [TakeBundle]
  private let fingerprint: String
  private let weights: String?

  package init(
    material: TakeMaterial, instrument: Instrument, modelName: String, bundles: [TakeBundle],
    fingerprint: String = "", weights: String? = nil
  ) {
    self.material = material
    self.instrument = instrument
    self.modelName = modelName
    self.bundles = bundles
    self.fingerprint = fingerprint
    self.weights = weights
  }

  /// Writes the folder, which must not exist yet.
  /// - Parameter withSound: whether audio.flac is made, which takes as long as decoding all codes.
  /// - Throws: `TakeError.exists`, `OutputError`, `AudioFileError`.
  package func write(to folder: URL, withSound: Bool = true) throws {
    guard !FileManager.default.fileExists(atPath: folder.path) else {
      throw TakeError.exists(path: folder.path)
    }
    let parent = folder.deletingLastPathComponent()
    try DataFolders.make(parent)
    let temporary = AtomicFile.temporaryPlace(for: folder)
    try DataFolders.make(temporary)
    do {
      try writeFiles(in: temporary, withSound: withSound)
      try FileManager.default.moveItem(at: temporary, to: folder)
    } catch {
      try? FileManager.default.removeItem(at: temporary)
      throw error
    }
  }

  private func writeFiles(in folder: URL, withSound: Bool) throws {
    let K = instrument.codebooks
    let frames = material.codes.count / K
    var panel = KnobPanel()
    for entry in material.score {
      if let control = MusicControl(
        address: entry.message.path, value: entry.message.arguments.first ?? .nil)
      {
        panel.apply(control, stepsPerSecond: instrument.framesPerSecond)
      }
    }
    // Those that the score names: others may have been loaded, too.
    let named = Set(
      material.score.filter { $0.message.path.hasSuffix("/direction") }
        .map { DirectionSource(arguments: $0.message.arguments).bundle })
    let description = TakeDescription(
      model: modelName, fingerprint: fingerprint, weights: weights,
      bundles: bundles.filter { named.contains($0.id) }.sorted { $0.id < $1.id },
      promptFrames: material.promptFrames, frames: frames,
      framesPerSecond: Double(instrument.framesPerSecond), sampleRate: instrument.sampleRate,
      loudness: material.loudness, windowLength: material.plan.length,
      windowContext: material.plan.context, windowRate: material.plan.rate,
      seed: panel.sampling.seed, temperature: panel.sampling.temperature,
      topK: panel.sampling.topK, topP: panel.sampling.topP,
      recall: panel.sampling.recall,
      text: material.words.isEmpty ? nil : material.words,
      written: ISO8601DateFormatter().string(from: Date()))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try AtomicFile.write(
      try encoder.encode(description), to: folder.appendingPathComponent("take.json"))
    try SafetensorsWriter.write(
      [.init(name: "codes", shape: [frames, K], integers: material.codes)],
      metadata: ["prompt_frames": "\(material.promptFrames)"],
      to: folder.appendingPathComponent("codes.safetensors"))
    try AtomicFile.write(
      Score.encode(material.score, stepsPerSecond: Double(instrument.framesPerSecond)),
      to: folder.appendingPathComponent("score.osc"))
    if !material.promptSound.isEmpty {
      try AudioFile.write(
        AudioClip(rate: instrument.sampleRate, channels: [material.promptSound]),
        to: folder.appendingPathComponent("prompt.flac"))
    }
    guard withSound else { return }
    try AudioFile.write(
      AudioClip(
        rate: instrument.sampleRate,
        channels: Self.sound(
          of: material.codes, promptFrames: material.promptFrames, loudness: material.loudness,
          instrument: instrument, pool: ComputePool())),
      to: folder.appendingPathComponent("audio.flac"))
  }

  /// The sound of the new frames as `Performance` made it: decoder and guard from 2 s before the end of
  /// the prompt on.
  /// - Returns: one array of samples per channel.
  package static func sound(
    of codes: [Int32], promptFrames: Int, loudness: Double?, instrument: Instrument,
    pool: ComputePool
  ) -> [[Float]] {
    let (K, channels) = (instrument.codebooks, instrument.channels)
    let first = max(0, promptFrames - Performance.warmFrames)
    let decoders = (0..<channels).map { _ in
      EnCodecDecoderState(codec: instrument.codec, codebooks: K / channels)
    }
    var guardian = LoudnessGuard(
      rate: instrument.sampleRate, channels: channels, target: loudness)
    var result = [[Float]](repeating: [], count: channels)
    for frame in first..<(codes.count / K) {
      let parts = decoders.enumerated().map { channel, decoder in
        decoder.push(
          (0..<K / channels).map { codes[frame * K + $0 * channels + channel] }, pool: pool)
      }
      let count = parts[0].count
      var block = (0..<count * channels).map { parts[$0 % channels][$0 / channels] }
      var span = block.mutableSpan
      guardian.process(&span, frames: count)
      for channel in 0..<channels {
        result[channel] += stride(from: channel, to: block.count, by: channels).map { block[$0] }
      }
    }
    let skipped = (promptFrames - first) * instrument.hop
    return result.map { Array($0.dropFirst(skipped)) }
  }
}

/// A take that was read, ready to be played again.
package struct RecordedTake: Sendable {
  package let description: TakeDescription
  package let codes: [Int32]
  package let score: [ScoreEntry]

  /// Reads a take's folder.
  /// - Throws: `TakeError`, `ScoreError`, `SafetensorsError`.
  package init(folder: URL) throws {
    func data(_ name: String) throws -> Data {
      guard let data = try? Data(contentsOf: folder.appendingPathComponent(name)) else {
        throw TakeError.noTake(path: folder.path, reason: "it has no readable \(name)")
      }
      return data
    }
    guard let description = try? JSONDecoder().decode(TakeDescription.self, from: data("take.json"))
    else { throw TakeError.noTake(path: folder.path, reason: "take.json cannot be understood") }
    let scorePath = folder.appendingPathComponent("score.osc").path
    self.description = description
    score = try Score.decode(try data("score.osc"), path: scorePath)
    let file = try SafetensorsFile(url: folder.appendingPathComponent("codes.safetensors"))
    guard let tensor = file.tensors["codes"], tensor.shape.count == 2,
      tensor.shape[0] == description.frames,
      (0...description.frames).contains(description.promptFrames)
    else { throw TakeError.noTake(path: folder.path, reason: "codes.safetensors has other sizes") }
    codes = try tensor.integers()
  }

  /// Makes the music again from the prompt and the score.
  ///
  /// - Parameters:
  ///   - pool: any number of threads gives the same codes.
  ///   - afterFrame: called behind every frame with how many there are; may throw to stop.
  ///   - text: what the network reads for the take's text; asked only when there is one.
  ///   - direction: the direction that an entry of the score means; nil leaves the slot empty.
  /// - Returns: codes (frames, K) with the prompt's.
  package func replay(
    on instrument: Instrument, pool: ComputePool, afterFrame: (Int) throws -> Void = { _ in },
    text: (String) throws -> TextContext? = { _ in nil },
    direction: (_ source: DirectionSource, _ slot: Int) throws -> SteeringDirection?
  ) throws -> [Int32] {
    let K = instrument.codebooks
    var start = PerformanceStart()
    start.prompt = Array(codes[..<(description.promptFrames * K)])
    start.text = try description.text.flatMap { try text($0) }
    // How many branches there are is decided at the start.
    if let guidance = score.last(where: {
      $0.step <= description.promptFrames + 1 && $0.message.path == "/sampling/guidance"
    }),
      let control = MusicControl(
        address: guidance.message.path, value: guidance.message.arguments.first ?? .nil)
    {
      start.controls = [control]
    }
    start.plan = WindowPlan(
      length: description.windowLength, context: description.windowContext,
      rate: description.windowRate)
    let performance = Performance(instrument: instrument, start: start, pool: pool)
    var entries = score[...]
    while performance.codes.wholeFrames < description.frames {
      while let entry = entries.first, entry.step <= performance.nextStep {
        entries.removeFirst()
        guard let (row, slot) = AddressTable.byAddress[entry.message.path],
          let value = entry.message.arguments.first
        else { continue }
        if row.leaf == "direction", let slot {
          let source = DirectionSource(arguments: entry.message.arguments)
          performance.place(
            source.name.isEmpty ? nil : try direction(source, slot), from: source, slot: slot)
        } else if let control = MusicControl(address: entry.message.path, value: value) {
          performance.apply(control)
        }
      }
      performance.codes.step()
      try afterFrame(performance.codes.wholeFrames)
    }
    return performance.codes.codes(0..<description.frames)
  }
}
