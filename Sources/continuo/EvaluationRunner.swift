// Makes the music of a cell, many clips per pass over the weights, and has it judged.
//
// Finished cells lie in the output folder and are read back, so that an interrupted evaluation goes on.

import Audio
import Engine
import Foundation
import Kernels
import Models
import Reporting

/// Runs cells.
final class EvaluationRunner {
  let model: MusicGen
  let knobs: [PresetKnob]
  let songs: PromptSongs
  let judge: Recogniser
  let folder: URL
  let pool: ComputePool
  let settings: SamplingSettings
  /// Names the model's and the codec's weights.
  let fingerprint: String
  /// Teaches probes from a number of pairs; nil where there is nothing to learn from.
  let teacher: PairTeacher?
  /// Clips of every newly made cell that are kept to listen to.
  var listening = 0
  private var directions: [String: SteeringDirection] = [:]
  private var store: CellStore { CellStore(folder: folder, embedding: judge.embedding) }

  /// Clips made side by side.
  static let atOnce = 16

  init(
    model: MusicGen, knobs: [PresetKnob], songs: PromptSongs, judge: Recogniser, folder: URL,
    settings: SamplingSettings, fingerprint: String = "", teacher: PairTeacher? = nil,
    pool: ComputePool
  ) {
    self.fingerprint = fingerprint
    self.teacher = teacher
    self.model = model
    self.knobs = knobs
    self.songs = songs
    self.judge = judge
    self.folder = folder
    self.settings = settings
    self.pool = pool
  }

  /// The figures of a cell: read back, or made.
  /// - Parameter progress: called with the share that is done.
  func figures(_ plan: CellPlan, progress: (Double) throws -> Void = { _ in }) throws -> CellFigures
  {
    var plan = plan
    plan.model = fingerprint
    plan.probes = try plan.targets.map { try probesName($0) }
    if plan.isOfSongs == true {
      if let known = store.read(plan, part: "songs") { return known }
      var figures = CellFigures(plan: plan, clips: [])
      try measureSongs(plan, &figures, progress: progress)
      try store.write(figures, part: "songs")
      return figures
    }
    var figures = CellFigures(plan: plan, clips: [])
    for start in stride(from: 0, to: plan.clips, by: Self.atOnce) {
      let range = start..<min(start + Self.atOnce, plan.clips)
      let name = "\(range.lowerBound + 1)-\(range.upperBound)"
      var part = CellFigures(plan: plan, clips: [])
      if let known = store.read(plan, part: name) {
        part = known
      } else {
        try make(plan, range, &part) { share in
          try progress((Double(start) + share * Double(range.count)) / Double(plan.clips))
        }
        try store.write(part, part: name)
      }
      figures.clips += part.clips
      figures.embeddings += part.embeddings
      figures.gainOverTime = figures.gainOverTime ?? part.gainOverTime
    }
    return figures
  }

  /// Windows of real songs that distances are measured to, at most, and their length in seconds.
  static let reference = (clips: 100, seconds: 10.0)

  /// The judge's embeddings of real songs in which a target sounds, through the codec; the same for every cell.
  func reference(_ target: String) throws -> GaussianFit {
    var plan = CellPlan(
      suite: "reference", method: "songs", targets: [target], clips: Self.reference.clips,
      seconds: Self.reference.seconds)
    plan.isOfSongs = true
    plan.model = fingerprint
    var figures = CellFigures(plan: plan, clips: [])
    if let known = store.read(plan, part: "songs") {
      figures = known
    } else {
      var seen = Set<String>()
      for prompt in try referenceWindows(plan) where seen.insert(prompt.track).inserted {
        figures.embeddings += judge.hear(try model.decode(prompt.codes, pool: pool)[0]).embeddings
          .flatMap { $0 }
      }
      try store.write(figures, part: "songs")
    }
    var fit = GaussianFit(dimension: judge.embedding)
    fit.add(figures.embeddings)
    return fit
  }

  /// Windows with a target, shorter ones where no song has any of that length.
  private func referenceWindows(_ plan: CellPlan) throws -> [PromptSongs.Prompt] {
    func windows(_ seconds: Double) throws -> [PromptSongs.Prompt] {
      try PromptSongs(
        catalogues: songs.catalogues, codebooks: songs.codebooks, frames: Int(seconds * 50)
      ).prompts(targets: plan.targets, present: true, isValidation: false, count: plan.clips)
    }
    var seconds = plan.seconds
    while seconds > 1 {
      if let found = try? windows(seconds) { return found }
      seconds /= 2
    }
    return try windows(1)
  }

  // MARK: making

  private func make(
    _ plan: CellPlan, _ range: Range<Int>, _ figures: inout CellFigures,
    progress: (Double) throws -> Void
  ) throws {
    let present = plan.start == .with
    let prompts = try songs.prompts(
      targets: plan.targets, present: present, isValidation: plan.isValidation, count: plan.clips)
    let steps = Int((plan.seconds * 50).rounded())
    var racks: [Steering] = []
    let generators = try range.map { index -> CodeGenerator in
      let steering = try steering(plan)
      racks.append(steering)
      let words = text(plan, prompts[index])
      var own = settings
      own.seed = plan.seed &* 1_000_003 &+ UInt64(index)
      let prompt = plan.start == .nothing ? [] : prompts[index].codes
      let generator = CodeGenerator(
        model: model.languageModel, prompt: prompt,
        text: words.isEmpty ? nil : try model.textContext(words, pool: pool), settings: own,
        theme: own.recall == 0 ? [] : model.pulse.theme(of: prompt), steering: steering, pool: pool)
      for slot in plan.targets.indices {
        steering.settings[slot].start = generator.nextStep
        steering.settings[slot].decaySteps = steps
      }
      return generator
    }
    var readings = racks.map { _ in [Double](repeating: 0, count: plan.targets.count) }
    var gains = [Double](repeating: 0, count: racks.count)
    var count = 0
    var curve: [Float] = []
    var curveSum = 0.0
    let target = generators[0].promptFrames + steps
    while generators[0].wholeFrames < target {
      CodeGenerator.step(generators)
      count += 1
      for (index, rack) in racks.enumerated() {
        for slot in plan.targets.indices {
          readings[index][slot] += Double(rack.state.slots[slot].reading)
        }
        gains[index] += Double(rack.state.slots[0].gain)
        curveSum += Double(rack.state.slots[0].gain)
      }
      if count % 1500 == 0 {
        curve.append(Float(curveSum / Double(1500 * racks.count)))
        curveSum = 0
      }
      if count % 50 == 0 { try progress(0.9 * Double(count) / Double(steps)) }
    }
    if !curve.isEmpty, figures.gainOverTime == nil { figures.gainOverTime = curve }
    for (index, generator) in generators.enumerated() {
      let first = max(generator.promptFrames, generator.firstFrame)
      if range.lowerBound + index < listening {
        try keep(generator.codes(generator.firstFrame..<target), plan, range.lowerBound + index)
      }
      let clip = try judged(
        plan, generator.codes(first..<target),
        prompt: plan.start == .nothing ? nil : prompts[range.lowerBound + index].codes, &figures)
      let slots = plan.targets.indices
      figures.clips.append(
        ClipFigures(
          success: slots.map { racks[index].state.slots[$0].successRate ?? 0 },
          reading: slots.map { Float(readings[index][$0] / Double(max(count, 1))) },
          presence: clip.presence, logit: clip.logit, similarity: clip.similarity,
          gain: Float(gains[index] / Double(max(count, 1)))))
    }
    try progress(1)
  }

  /// Writes a clip, prompt included, at -12 LUFS into the folder “listening”.
  func keep(_ codes: [Int32], _ plan: CellPlan, _ index: Int) throws {
    var clip = AudioClip(
      rate: model.config.sampleRate, channels: try model.decode(codes, pool: pool))
    let gain = Loudness(of: clip).gain(to: -12)
    for channel in clip.channels.indices {
      for place in clip.channels[channel].indices { clip.channels[channel][place] *= gain }
    }
    let place = folder.appendingPathComponent("listening")
    try? FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    try AudioFile.write(
      clip, to: place.appendingPathComponent("\(plan.key)-\(index + 1).flac"), encoding: .bits16)
  }

  func judged(
    _ plan: CellPlan, _ codes: [Int32], prompt: [Int32]?, _ figures: inout CellFigures
  ) throws -> (presence: [Float], logit: [Float], similarity: Float) {
    let hearing = judge.hear(try model.decode(codes, pool: pool)[0])
    figures.embeddings += hearing.embeddings.flatMap { $0 }
    var presence: [Float] = []
    var logit: [Float] = []
    for target in plan.targets {
      guard let group = judge.groups.firstIndex(of: target), !hearing.logits.isEmpty else {
        presence.append(.nan)
        logit.append(.nan)
        continue
      }
      let values = hearing.logits.map { $0[group] }
      presence.append(Float(values.count { $0 > 0 }) / Float(values.count))
      logit.append(values.reduce(0, +) / Float(values.count))
    }
    guard let prompt else { return (presence, logit, .nan) }
    let heard = judge.hear(try model.decode(prompt, pool: pool)[0])
    return (presence, logit, cosine(mean(hearing.embeddings), mean(heard.embeddings)))
  }

  func steering(_ plan: CellPlan) throws -> Steering {
    let config = model.config.decoder
    let steering = Steering(layers: config.layers, width: config.hidden)
    for (slot, target) in plan.targets.enumerated() {
      let knob = try knob(target)
      let options = DirectionOptions(
        kind: plan.direction, power: knob.trait.defaults.power, hardHeads: plan.hardHeads,
        monitors: knob.trait.defaults.monitors)
      let pairs = plan.pairs.map { ", \($0) pairs" } ?? ""
      let name = "\(target) \(plan.direction) \(plan.hardHeads)\(pairs)"
      let direction =
        try directions[name]
        ?? taught(target, plan.pairs, options)
        ?? knob.direction(model: model.languageModel, options: options, pool: pool)
      directions[name] = direction
      steering.place(direction, slot: slot)
      steering.settings[slot].method = plan.steering
      steering.settings[slot].alpha = plan.alpha
      steering.settings[slot].period = plan.period
      steering.settings[slot].updateRule = plan.rule
      steering.settings[slot].weighting = plan.usesHardWeights ? .hard : .usual
      steering.settings[slot].strength = plan.steering == .none ? 0 : plan.strength
    }
    return steering
  }

  /// A direction of probes that a number of pairs taught; nil for the bundle's own probes.
  private func taught(_ target: String, _ pairs: Int?, _ options: DirectionOptions) throws
    -> SteeringDirection?
  {
    guard let pairs, let teacher else { return nil }
    return try teacher.probes(target, pairs: pairs == 0 ? nil : pairs).map {
      SteeringDirection(
        probes: $0, options: options,
        projections: model.languageModel.layers.map(\.attentionOutput), pool: pool)
    }
  }

  /// Names the probes of a target: knobs that were taught anew do not find the cells of the old ones.
  private func probesName(_ target: String) throws -> String {
    let data = try knob(target).bundle.files.contents["probes.safetensors"] ?? Data()
    return PresetFiles.digest(data)
  }

  /// The knob that steers a target.
  func knob(_ target: String) throws -> PresetKnob {
    guard let knob = knobs.first(where: { $0.trait.id == target }) else {
      throw PresetError.unknownTrait(name: target, known: knobs.map(\.name))
    }
    return knob
  }

  private func text(_ plan: CellPlan, _ prompt: PromptSongs.Prompt) -> String {
    let names = plan.targets.joined(separator: ", ")
    switch plan.text {
    case .none: return ""
    case .add: return "add " + names
    case .name: return names
    case .no: return plan.targets.map { "no \($0)" }.joined(separator: ", ")
    case .own: return prompt.caption.without
    case .ownAndName: return prompt.caption.with
    }
  }
}

private func mean(_ vectors: [[Float]]) -> [Float] {
  guard let first = vectors.first else { return [] }
  return first.indices.map { i in vectors.reduce(0) { $0 + $1[i] } / Float(vectors.count) }
}

private func cosine(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count, !a.isEmpty else { return .nan }
  let dot = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
  let norms = a.reduce(0) { $0 + $1 * $1 } * b.reduce(0) { $0 + $1 * $1 }
  return dot / norms.squareRoot()
}
