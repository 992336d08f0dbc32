// Music being made: codes by the generation loop, sound by the streaming decoder, both able to go back.
//
// The live engine and `render --score` run this same object, so that a take gives the same codes again.
// In: a prompt (codes), changes (`MusicControl`) at steps. Out: samples of the model, by absolute
// number: sample 640 · t is the start of frame t, frame 0 the prompt's first.
//
// What it has over `Continuation`, the models' one pass for `continuo render` without a score: every change
// is scored with its step, up to 256 steps can be taken back, and the last seconds of sound are kept for that.

package import Kernels
package import Models

/// A model with everything that makes sound with it. Immutable.
package struct Instrument: Sendable {
  package let languageModel: LanguageModel
  package let codec: EnCodec

  package init(languageModel: LanguageModel, codec: EnCodec) {
    self.languageModel = languageModel
    self.codec = codec
  }

  /// Codes per frame.
  package var codebooks: Int { languageModel.config.codebooks }
  /// Channels of the music.
  package var channels: Int { languageModel.config.audioChannels }
  /// Samples per second.
  package var sampleRate: Int { codec.config.samplingRate }
  /// Samples per frame.
  package var hop: Int { codec.hop }
  /// Hears what of a prompt comes round again.
  package var pulse: Pulse { Pulse(codec: codec, config: languageModel.config) }
  /// Frames per second.
  package var framesPerSecond: Float { Float(sampleRate) / Float(hop) }
}

/// One entry of a score.
package struct ScoreEntry: Sendable, Equatable {
  /// The step that it takes effect at.
  package var step: Int
  package var message: OSCMessage

  package init(step: Int, message: OSCMessage) {
    self.step = step
    self.message = message
  }
}

/// What a direction on a slot was made from: all that is needed to make it again.
package struct DirectionSource: Sendable, Equatable {
  /// "bundle-id/trait"; empty for none.
  package var name: String
  /// Power and number of monitors where they are not the trait's own.
  package var power: Float?
  package var monitors: Int?

  package init(_ name: String, power: Float? = nil, monitors: Int? = nil) {
    self.name = name
    self.power = power
    self.monitors = monitors
  }

  /// The id of the knob's bundle.
  package var bundle: String { name.split(separator: "/").dropLast().joined(separator: "/") }

  /// What a score keeps: name, power, monitors; the numbers only together.
  var arguments: [OSCValue] {
    guard let power, let monitors else { return [.string(name)] }
    return [.string(name), .float(power), .int(Int32(clamping: monitors))]
  }

  init(arguments: [OSCValue]) {
    self.init(arguments.first?.text ?? "")
    if arguments.count == 3, let power = arguments[1].number, let monitors = arguments[2].number {
      self.power = Float(power)
      self.monitors = Int(monitors)
    }
  }
}

/// What a performance starts from.
package struct PerformanceStart {
  /// Codes (frames, K) to continue; empty for music from nothing.
  package var prompt: [Int32] = []
  package var text: TextContext?
  /// Settings that hold from the first step on, in any order.
  package var controls: [MusicControl] = []
  /// Directions by slot, with what a score keeps of them.
  package var directions: [Int: (source: DirectionSource, direction: SteeringDirection)] = [:]
  package var plan = WindowPlan()
  /// Loudness to hold, in LUFS; nil to leave it.
  package var loudness: Double?
  package var frameLimit = Int.max

  package init() {}
}

/// Codes and sound of one continuation that can change its mind, from its prompt on.
///
/// Threading: belongs to one thread. `init` and `prepare` allocate; `step`, `apply` and `rollBack` do not
/// once warm, up to an hour of music.
package final class Performance {
  /// Frames of the prompt that the decoder hears before the first new one: 2 s.
  package static let warmFrames = 100
  private static let mostTogether = 8
  /// Steps that can be gone back: 5 s.
  package static let memory = 256

  package let instrument: Instrument
  package let codes: CodeGenerator
  package let steering: Steering
  /// Every change with its step, oldest first.
  package private(set) var score: [ScoreEntry] = []
  /// The sound so far: the last seconds of it.
  package private(set) var sound: SampleHistory
  /// Frames that the decoder takes at a time, 1 … 8. More cost less each, since the decoder's weights are
  /// read once for all of them, but their sound waits for the last one: of use while there is music ahead.
  package var decodedTogether = 1
  /// The step of the newest change: nobody goes back behind it.
  package private(set) var settledStep: Int

  private var farthestStep: Int
  private let pool: ComputePool
  private var panel = KnobPanel()
  private let decoders: [EnCodecDecoderState]
  // The decoder's state in front of a block of frames, by the block's first frame.
  private let snapshots: [[EnCodecSnapshot]]  // [frame % memory][channel]
  private var guards: [LoudnessGuard]  // [frame % memory]
  private var isBlockStart: [Bool]  // [frame % memory]
  private var guardState: LoudnessGuard
  private var steeringStates: [SteeringState]  // [step % memory]
  private let firstDecoded: Int
  private var decodedFrames: Int
  private var frameCodes: [Int32]
  private var channelCodes: [Int32]
  private var decoded: [Float]  // (channels, room)
  private var interleaved: [Float]

  package init(instrument: Instrument, start: PerformanceStart, pool: ComputePool) {
    self.instrument = instrument
    self.pool = pool
    let config = instrument.languageModel.config
    let K = config.codebooks
    let channels = config.audioChannels
    steering = Steering(layers: config.layers, width: config.hidden)
    for control in start.controls {
      panel.apply(control, stepsPerSecond: instrument.framesPerSecond)
    }
    codes = CodeGenerator(
      model: instrument.languageModel, prompt: start.prompt, text: start.text,
      settings: panel.sampling, theme: instrument.pulse.theme(of: start.prompt), plan: start.plan,
      steering: steering,
      frameLimit: start.frameLimit, pool: pool)
    codes.reserve(frames: start.prompt.count / K + 3600 * Int(instrument.framesPerSecond))
    settledStep = codes.nextStep
    farthestStep = codes.nextStep
    decoders = (0..<channels).map { _ in
      EnCodecDecoderState(codec: instrument.codec, codebooks: K / channels)
    }
    snapshots = (0..<Self.memory).map { [decoders] _ in decoders.map { $0.makeSnapshot() } }
    guardState = LoudnessGuard(
      rate: instrument.sampleRate, channels: channels, target: start.loudness)
    guards = Array(repeating: guardState, count: Self.memory)
    isBlockStart = Array(repeating: false, count: Self.memory)
    steeringStates = Array(repeating: SteeringState(), count: Self.memory)
    firstDecoded = max(0, codes.promptFrames - Self.warmFrames)
    decodedFrames = firstDecoded
    frameCodes = [Int32](repeating: 0, count: K)
    channelCodes = [Int32](repeating: 0, count: Self.mostTogether * K / channels)
    let room = 16 * instrument.hop
    decoded = [Float](repeating: 0, count: channels * room)
    interleaved = [Float](repeating: 0, count: channels * room)
    sound = SampleHistory(channels: channels, capacity: 8 * instrument.sampleRate)
    sound.restart(at: firstDecoded * instrument.hop)
    score.reserveCapacity(4096)
    for control in start.controls {
      score.append(ScoreEntry(step: codes.nextStep, message: control.message))
    }
    for (slot, entry) in start.directions.sorted(by: { $0.key < $1.key }) {
      place(entry.direction, from: entry.source, slot: slot)
    }
    refreshSteering()
  }

  /// Feeds the prompt to the network and the decoder. `step` does it when nobody did before.
  package func prepare() {
    codes.prefill()
    decodeWholeFrames()
  }

  /// The next step to be drawn.
  package var nextStep: Int { codes.nextStep }
  /// Sample number of the first new frame.
  package var firstSample: Int { codes.promptFrames * instrument.hop }

  /// Draws one step and makes the sound that it completes.
  package func step() {
    steeringStates[codes.nextStep % Self.memory] = steering.state
    codes.step()
    farthestStep = max(farthestStep, codes.nextStep)
    decodeWholeFrames()
  }

  /// Takes a change in, from the next step on.
  package func apply(_ control: MusicControl) {
    panel.apply(control, stepsPerSecond: instrument.framesPerSecond)
    codes.settings = panel.sampling
    refreshSteering()
    note(control.message)
  }

  /// Puts a direction on slot 1 … 8, from the next step on; nil empties it.
  package func place(
    _ direction: SteeringDirection?, from source: DirectionSource, slot: Int
  ) {
    steering.place(direction, slot: slot - 1)
    refreshSteering()
    note(OSCMessage("/knob/\(slot)/direction", source.arguments))
  }

  private func note(_ message: OSCMessage) {
    settledStep = codes.nextStep
    score.append(ScoreEntry(step: codes.nextStep, message: message))
  }

  private func refreshSteering() {
    steering.readsIdle = panel.readsIdle
    for slot in 1...AddressTable.slots {
      steering.settings[slot - 1] = panel.settings(slot: slot, start: codes.promptFrames + 1)
    }
  }

  /// The earliest step that `rollBack` can go to. Counted from the farthest step ever drawn, not from
  /// the present one: what lies further back has been written over, also after several steps back.
  package var earliestStep: Int {
    let plan = codes.plan
    let reach = min(Self.memory - 16, plan.length - plan.context - plan.fillPasses - 1)
    return max(settledStep, codes.promptFrames + 1, farthestStep - reach)
  }

  /// Goes back so that `step` is the next one: sound that it could change is forgotten.
  package func rollBack(toStep step: Int) {
    precondition(step >= earliestStep, "step \(step) is settled")
    guard step < codes.nextStep else { return }
    codes.rollBack(toStep: step)
    steering.state = steeringStates[step % Self.memory]
    let frames = max(firstDecoded, min(decodedFrames, codes.wholeFrames))
    guard frames < decodedFrames else { return }
    // The decoder goes back to the start of a block, and hears the frames that stay once more; the sound
    // that they made final stays.
    var first = frames
    while !isBlockStart[first % Self.memory] { first -= 1 }
    for (channel, decoder) in decoders.enumerated() {
      decoder.restore(from: snapshots[first % Self.memory][channel])
    }
    guardState = guards[first % Self.memory]
    decodedFrames = first
    let given = finalSamples(frames: frames - firstDecoded)
    sound.truncate(to: min(sound.end, firstDecoded * instrument.hop + given))
  }

  /// Decodes the frames that are whole and were not decoded yet, block by block. Blocks of new frames end
  /// at multiples of `decodedTogether`; those of the prompt, whose sound nobody waits for, are large.
  private func decodeWholeFrames() {
    while decodedFrames < codes.wholeFrames {
      let known = codes.wholeFrames - decodedFrames
      let prompt = codes.promptFrames - decodedFrames
      if prompt > 0 {
        decode(frames: min(known, prompt, Self.mostTogether))
      } else {
        let together = min(max(decodedTogether, 1), Self.mostTogether)
        let wanted = together - decodedFrames % together
        guard known >= wanted else { return }
        decode(frames: wanted)
      }
    }
  }

  /// Decodes the next `count` frames.
  private func decode(frames count: Int) {
    let channels = instrument.channels
    let room = decoded.count / channels
    let books = instrument.codebooks / channels
    for frame in decodedFrames..<decodedFrames + count {
      isBlockStart[frame % Self.memory] = frame == decodedFrames
    }
    let slot = decodedFrames % Self.memory
    for (channel, decoder) in decoders.enumerated() {
      decoder.save(to: snapshots[slot][channel])
    }
    guards[slot] = guardState
    let before = decoders[0].framesGiven
    var written = 0
    for (channel, decoder) in decoders.enumerated() {
      for index in 0..<count {
        codes.codes(ofFrame: decodedFrames + index, into: &frameCodes)
        for book in 0..<books {
          channelCodes[index * books + book] = frameCodes[book * channels + channel]
        }
      }
      var whole = decoded.mutableSpan
      var target = whole._mutatingExtracting(channel * room..<(channel + 1) * room)
      written = decoder.push(
        channelCodes.span.extracting(0..<count * books), count: count, into: &target, pool: pool)
    }
    decodedFrames += count
    guard written > 0 else { return }
    for index in 0..<written {
      for channel in 0..<channels {
        interleaved[index * channels + channel] = decoded[channel * room + index]
      }
    }
    // Frame by frame, so that the gain does not depend on how many are decoded together.
    let first = decodedFrames - count - firstDecoded
    var start = 0
    for frame in first..<first + count {
      let length = finalSamples(frames: frame + 1) - finalSamples(frames: frame)
      var all = interleaved.mutableSpan
      var part = all._mutatingExtracting(start * channels..<(start + length) * channels)
      guardState.process(&part, frames: length)
      start += length
    }
    // After going back into a block its beginning is there already, the same bit for bit.
    let there = min(max(sound.end - (firstDecoded * instrument.hop + before), 0), written)
    let made = interleaved  // shared for the call, not copied
    sound.append(made.span, skipping: there, count: written - there)
  }

  /// Samples that no later frame can change once the decoder has heard `frames`.
  private func finalSamples(frames: Int) -> Int {
    max(0, frames * instrument.hop - instrument.codec.decoderLookahead)
  }

  /// Whether the last four seconds stood still: silence, or one pattern of at most a second over and
  /// over.
  package var isStuck: Bool {
    let rate = Int(instrument.framesPerSecond)
    let end = codes.wholeFrames
    guard end - max(codes.promptFrames, settledStep) > 4 * rate else { return false }
    let K = instrument.codebooks
    let recent = codes.codes((end - 4 * rate)..<end)
    for period in 1...rate
    where (0..<(recent.count - period * K)).allSatisfy({
      recent[$0] == recent[$0 + period * K]
    }) {
      return true
    }
    return sound.withSamples(channel: 0, (sound.end - 3 * instrument.sampleRate)..<sound.end) {
      samples, _ in
      guard samples.count > 0 else { return false }
      for index in samples.indices where abs(samples[index]) > 5e-4 { return false }
      return true
    }
  }

  /// Sets another seed from the next step on, because the music got stuck.
  package func reseed() {
    apply(MusicControl(.seed, Double((panel.sampling.seed &+ 7919) & 0x7FFF_FFFF)))
  }
}
