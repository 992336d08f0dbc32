// Makes the music of a cell, many clips per pass over the weights, and has it judged.
//
// Finished cells lie in the output folder and are read back, so that an interrupted evaluation goes on.

import Audio
import Engine
import Foundation
import Kernels
import Models
import Reporting

/// Material for prompts: songs whose activity is known.
struct PromptSongs {
  let catalogues: [ActivityCatalogue]
  let codebooks: Int
  /// Length of a prompt in steps.
  let frames: Int
  /// Share of a prompt in which each target sounds at least, when it is to sound.
  var leastShare = 0.0

  struct Prompt {
    var track: String
    var codes: [Int32]
    var tags: String
  }

  /// One prompt per song in which the targets all sound, or none of them does.
  ///
  /// Songs alternate between validation and examination by their place among the held-out ones.
  func prompts(targets: [String], present: Bool, isValidation: Bool, count: Int) throws -> [Prompt]
  {
    var found: [Prompt] = []
    func held(_ catalogue: ActivityCatalogue) -> [ActivityCatalogue.Track] {
      catalogue.tracks.filter { $0.split == "test" || $0.split == "validation" }
    }
    // Songs that taught the model examine nothing, unless there are no others.
    let areHeld = catalogues.contains { !held($0).isEmpty }
    for catalogue in catalogues {
      let songs = areHeld ? held(catalogue) : catalogue.tracks
      for (index, track) in songs.enumerated() where (index % 4 == 3) == isValidation {
        let codes = try catalogue.codes(track, codebooks: codebooks)
        let total = codes.count / codebooks
        let starts = targets.map { target -> Set<Int> in
          let windows = ActivityCatalogue.windows(track, target, total: total, frames: frames)
          return Set(present ? windows.with : windows.without)
        }
        guard let first = starts.first else { continue }
        let common = starts.dropFirst().reduce(first) { $0.intersection($1) }
        // Something else must sound: silence says nothing about the song.
        let usable = common.sorted().filter { start in
          func share(_ group: String) -> Double {
            ActivityCatalogue.share(track, group, start..<start + frames)
          }
          return catalogue.groups.contains { group in
            (present || !targets.contains(group)) && share(group) > 0.5
          } && (!present || targets.allSatisfy { share($0) >= leastShare })
        }
        for start in evenly(usable, 2) {
          let range = start * codebooks..<(start + frames) * codebooks
          found.append(
            Prompt(
              track: track.id, codes: Array(codes[range]),
              tags: (track.tags ?? []).joined(separator: ", ")))
        }
      }
    }
    // One window of every song before second windows.
    var seen: [String: Int] = [:]
    let ranked = found.map { prompt -> (Int, Prompt) in
      seen[prompt.track, default: 0] += 1
      return (seen[prompt.track] ?? 0, prompt)
    }
    let sorted = ranked.enumerated().sorted {
      ($0.element.0, $0.offset) < ($1.element.0, $1.offset)
    }
    guard !sorted.isEmpty else {
      throw ProbeMaterialError.tooLittle(
        what: "prompts \(present ? "with" : "without") \(targets.joined(separator: ", "))",
        found: 0, needed: 1)
    }
    return (0..<count).map { sorted[$0 % sorted.count].element.1 }
  }
}

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
    if let known = remembered(plan) { return known }
    var figures = CellFigures(plan: plan, clips: [])
    if plan.isOfSongs == true {
      try measureSongs(plan, &figures, progress: progress)
      try remember(figures)
      return figures
    }
    var start = 0
    while start < plan.clips {
      let end = min(start + Self.atOnce, plan.clips)
      try make(plan, start..<end, &figures) { share in
        try progress((Double(start) + share * Double(end - start)) / Double(plan.clips))
      }
      start = end
    }
    try remember(figures)
    return figures
  }

  /// The judge's embeddings of real songs in which a target sounds, through the codec.
  func reference(_ target: String, clips: Int, seconds: Double) throws -> GaussianFit {
    var fit = GaussianFit(dimension: judge.embedding)
    let plan = PromptSongs(
      catalogues: songs.catalogues, codebooks: songs.codebooks, frames: Int(seconds * 50))
    let prompts = try plan.prompts(
      targets: [target], present: true, isValidation: false, count: clips)
    var seen = Set<String>()
    for prompt in prompts where seen.insert(prompt.track).inserted {
      let sound = try model.decode(prompt.codes, pool: pool)
      for vector in judge.hear(sound[0]).embeddings { fit.add(vector) }
    }
    return fit
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
      let generator = CodeGenerator(
        model: model.languageModel, prompt: plan.start == .nothing ? [] : prompts[index].codes,
        text: words.isEmpty ? nil : try model.textContext(words, pool: pool), settings: own,
        steering: steering, pool: pool)
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
    case "add": return names
    case "no": return plan.targets.map { "no \($0)" }.joined(separator: ", ")
    case "tags": return prompt.tags
    case "tags+add": return prompt.tags.isEmpty ? names : "\(prompt.tags), \(names)"
    default: return ""
    }
  }

  // MARK: what is kept

  private func remembered(_ plan: CellPlan) -> CellFigures? {
    let place = folder.appendingPathComponent("cells/\(plan.key)")
    guard let data = try? Data(contentsOf: place.appendingPathExtension("json")),
      var known = try? Self.decoder.decode(CellFigures.self, from: data), known.plan == plan,
      let store = try? TensorStore(file: place.appendingPathExtension("safetensors")),
      let embeddings = try? store.tensor("embeddings").floats()
    else { return nil }
    known.embeddings = embeddings
    return known
  }

  private func remember(_ figures: CellFigures) throws {
    let cells = folder.appendingPathComponent("cells")
    try? FileManager.default.createDirectory(at: cells, withIntermediateDirectories: true)
    let place = cells.appendingPathComponent(figures.plan.key)
    try SafetensorsWriter.write(
      [
        SafetensorsWriter.Entry(
          name: "embeddings",
          shape: [figures.embeddings.count / judge.embedding, judge.embedding],
          floats: figures.embeddings)
      ], to: place.appendingPathExtension("safetensors"))
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    try AtomicFile.write(try encoder.encode(figures), to: place.appendingPathExtension("json"))
  }

  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return decoder
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
