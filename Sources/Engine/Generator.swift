// The generation thread: listens, continues, keeps music ready ahead of the play head, and changes what
// is not played yet when a knob turns.
//
// Deep look-ahead, shallow latency (METHOD 5): music is kept ready up to `lookahead` before the play
// head. When a control changes, the performance goes back to the first step whose sound can still be
// heard in time and plays on from there; the ring's frames behind that place are replaced.
//
// Threading: `run` is the generation thread's whole life. Other threads reach it through `commands` and
// `deliveries`, and hear of it through `reports`, `takes` and the atomic figures.

internal import CJACK
internal import CPoll
import Foundation
package import Kernels
import Models
package import Synchronization

/// The live engine.
package final class Generator: @unchecked Sendable {
  /// Sender: the control thread.
  package let commands = ValueQueue<EngineCommand>(capacity: 1024, filler: .commit)
  /// Sender: any thread.
  package let deliveries = Mailbox<EngineDelivery>()
  /// Taker: the control thread.
  package let reports = ValueQueue<EngineReport>(capacity: 4096, filler: .state(.stopped))
  /// Taker: the loader.
  package let takes = Mailbox<TakeMaterial>()

  /// Millionths of seconds of work per second of music.
  package let realTimeFactor = Atomic<Int>(0)
  /// Milliseconds of music ready ahead of the play head.
  package let ready = Atomic<Int>(0)
  /// The next step.
  package let step = Atomic<Int>(0)
  private let stopping = Atomic<Int>(0)

  private let exchange: AudioExchange
  private let pool: ComputePool
  private let finished = DispatchSemaphore(value: 0)

  // Everything below belongs to the generation thread.
  private var instrument: Instrument
  private var listener: Listener
  private var state = TransportState.listening
  private var performance: Performance?
  private var feeder: OutputFeeder?
  private var isJoined = false
  private var triggered = ContinuousClock.now
  private var started = PerformanceStart()
  private var startedWords = ""
  private var promptSound: [Float] = []
  private var text: (context: TextContext, words: String)?
  private var loadedPrompt: (codes: [Int32], sound: [Float])?
  private var controls: [Int: MusicControl] = [:]
  private var directions: [Int: (source: DirectionSource, direction: SteeringDirection)] = [:]
  private var gathered: [EngineCommand] = []
  private var sounding = SoundingReports(memory: Performance.memory)
  private var lookahead = 1.0
  private var holdsLoudness = true
  private var unsticks = true
  private var continuesByItself = false
  private var heardSomething = false
  private var following = TransportFollowing.off
  private var wasRolling = false
  private var stepSeconds = 0.01
  private var worstStep = 0.01
  private var ladder = OverloadLadder()
  /// Times that music was missing, as far as the ladder knows; what is missing before the engine frame
  /// `excusedUntil` is the sound server's doing.
  private var knownUnderruns = 0
  private var excusedUntil = 0
  private var wantsExtras = true
  private var slowness = 0.0
  private var rate = 48000

  package init(instrument: Instrument, exchange: AudioExchange, pool: ComputePool) {
    self.instrument = instrument
    self.exchange = exchange
    self.pool = pool
    listener = Listener(instrument: instrument, exchange: exchange, pool: pool)
    gathered.reserveCapacity(256)
  }

  /// Starts the thread.
  package func start() {
    // Every continuation has caches of its own, some 30 MB with the house model.
    continuo_return_large_blocks()
    let thread = Thread { [self] in
      run()
      finished.signal()
    }
    thread.name = "generation"
    thread.stackSize = 4 << 20
    thread.qualityOfService = .userInteractive
    thread.start()
  }

  /// Ends the thread and waits for it.
  package func stop() {
    stopping.store(1, ordering: .releasing)
    finished.wait()
  }

  private func run() {
    continuo_flush_denormals()
    listener.restart(at: exchange.input.filled)
    while stopping.load(ordering: .acquiring) == 0 {
      takeDeliveries()
      let changed = drain()
      followTransport()
      if state == .playing {
        play(changed)
      } else {
        let more = listener.listen()
        if continuesByItself { watchForSilence() }
        if !more { usleep(2000) }
      }
      announceApplied()
    }
  }

  // MARK: Commands

  /// Takes committed commands; returns the changes of the music among them.
  private func drain() -> [MusicControl] {
    var changes: [MusicControl] = []
    while let command = commands.take() {
      guard case .commit = command else {
        gathered.append(command)
        continue
      }
      for command in gathered { obey(command, &changes) }
      gathered.removeAll(keepingCapacity: true)
    }
    return changes
  }

  private func obey(_ command: EngineCommand, _ changes: inout [MusicControl]) {
    switch command {
    case .music(let control):
      let branched = hasTwoBranches
      defer { if hasTwoBranches != branched { blend() } }
      if control.target == .extras {
        wantsExtras = control.value != 0
        guard ladder.rung.rawValue < OverloadLadder.Rung.extras.rawValue else { break }
      }
      controls[Int(control.target.rawValue) * 16 + control.slot] = control
      changes.append(control)
    case .commit: break
    case .listen:
      leave()
      listener.restart(at: exchange.input.filled)
      enter(.listening)
    case .stop:
      leave()
      enter(.stopped)
    case .play(let seconds): begin(seconds: seconds)
    case .restart(let seed): restart(seed: seed)
    case .lookahead(let seconds): lookahead = seconds
    case .guardLoudness(let isOn): holdsLoudness = isOn
    case .unstick(let isOn): unsticks = isOn
    case .automatic(let isOn): continuesByItself = isOn
    case .follow(let following):
      self.following = following
      wasRolling = exchange.rolling.load(ordering: .relaxed) != 0
    case .stall(let seconds): usleep(UInt32(seconds * 1e6))
    case .slow(let seconds): slowness = seconds
    }
  }

  /// Whether the text has a branch of its own, to be weighed against music without it.
  private var hasTwoBranches: Bool {
    let guidance = MusicControl.Target.guidance
    return text != nil && (controls[Int(guidance.rawValue) * 16]?.value ?? 3) != 1
  }

  /// The text has changed: the same music goes on from where it can still be changed, in a performance
  /// of its own that hears the last seconds as its prompt and fades in over the old one.
  private func blend() {
    guard state == .playing, isJoined, let performance, let timeline = feeder?.timeline else {
      return
    }
    exchange.awaited.store(1, ordering: .releasing)
    goBack(performance, allowing: 0.4)
    keep("", isAutomatic: true)
    let codes = performance.codes
    let first = max(codes.firstFrame, codes.wholeFrames - Self.blendFrames)
    var start = PerformanceStart()
    start.prompt = codes.codes(first..<codes.wholeFrames)
    start.loudness = started.loudness
    promptSound = []
    perform(start, anchor: timeline.frame(ofSample: first * instrument.hop), wasPlaying: true)
  }

  /// Frames that a performance hears of the one before it: 8 s.
  private static let blendFrames = 400

  private func takeDeliveries() {
    for delivery in deliveries.take() {
      switch delivery {
      case .instrument(let instrument, _):
        leave()
        self.instrument = instrument
        listener = Listener(instrument: instrument, exchange: exchange, pool: pool)
        listener.restart(at: exchange.input.filled)
        performance = nil
        directions = [:]
        enter(.listening)
      case .direction(let direction, let source, let slot, let received):
        directions[slot] = direction.map { (source, $0) }
        guard state == .playing, let performance else { break }
        goBack(performance)
        performance.place(direction, from: source, slot: slot)
        expect(slot: slot, performance, received: received)
      case .prompt(let codes, let sound):
        loadedPrompt = codes.isEmpty ? nil : (codes, sound)
      case .text(let context, let words):
        text = context.map { ($0, words) }
        blend()
      case .keep(let name): keep(name)
      }
    }
  }

  private func enter(_ new: TransportState) {
    state = new
    _ = reports.offer(.state(new))
  }

  /// Fades to the live input.
  private func leave() {
    exchange.awaited.store(0, ordering: .releasing)
    guard state == .playing else { return }
    keep("", isAutomatic: true)
    exchange.leaveFrame.store(
      exchange.output.claimed + exchange.period.load(ordering: .relaxed), ordering: .releasing)
    isJoined = false
    step.store(0, ordering: .relaxed)
    ready.store(0, ordering: .relaxed)
    sounding.forgetChanges()
  }

  private func watchForSilence() {
    let now = listener.level(seconds: 0.7)
    if listener.level(seconds: 0.1) > 0.01 { heardSomething = true }
    guard heardSomething, now < 0.002 else { return }
    heardSomething = false
    begin(seconds: 10)
  }

  /// Begins when JACK's transport begins to roll, and stops when it stops.
  private func followTransport() {
    guard following != .off else { return }
    let rolls = exchange.rolling.load(ordering: .relaxed) != 0
    defer { wasRolling = rolls }
    if rolls, !wasRolling, state != .playing {
      begin(seconds: 10, on: following == .bar ? comingBar() : nil)
    } else if !rolls, wasRolling, state == .playing {
      leave()
      enter(.stopped)
    }
  }

  /// The engine frame of a bar line that can still be met; nil when nobody tells bars.
  private func comingBar() -> Int? {
    let length = exchange.barLength.load(ordering: .relaxed)
    guard length > 0 else { return nil }
    var frame = exchange.barFrame.load(ordering: .relaxed)
    let earliest = exchange.output.claimed + exchange.sampleRate.load(ordering: .acquiring) / 3
    while frame < earliest { frame += length }
    return frame
  }

  // MARK: Beginning

  /// Ends the music that plays, if any; returns whether it is heard.
  private func prepare() -> Bool {
    triggered = .now
    exchange.awaited.store(1, ordering: .releasing)
    let isHeard = state == .playing && isJoined
    if state == .playing { keep("", isAutomatic: true) }
    enter(.preparing)
    rate = exchange.sampleRate.load(ordering: .acquiring)
    return isHeard
  }

  /// Continues from what was heard, from a loaded prompt, or from silence.
  /// - Parameter frame: the engine frame at which the new music is to begin; nil to go on in time with
  ///   what was heard.
  private func begin(seconds: Double, on frame: Int? = nil) {
    let wasPlaying = prepare()
    var start = PerformanceStart()
    var anchor: Int?
    promptSound = []
    if seconds > 0, let loaded = loadedPrompt {
      start.prompt = loaded.codes
      promptSound = loaded.sound
    } else if seconds > 0 {
      let heard = listener.heard(seconds: seconds)
      if heard.sound.contains(where: { abs($0) > 1e-4 }) {
        start.prompt = heard.codes
        promptSound = heard.sound
        anchor =
          heard.firstFrame - exchange.captureLatency.load(ordering: .relaxed)
          - exchange.playbackLatency.load(ordering: .relaxed)
      } else {
        _ = reports.offer(.notice(.nothingHeard))
      }
    }
    if let frame {
      let prompt = start.prompt.count / instrument.codebooks * instrument.hop
      anchor = frame - prompt * rate / instrument.sampleRate
    }
    perform(start, anchor: anchor, wasPlaying: wasPlaying)
  }

  /// The same prompt again, with another seed.
  private func restart(seed: Int) {
    let wasPlaying = prepare()
    let control = MusicControl(.seed, Double(seed))
    controls[Int(control.target.rawValue) * 16] = control
    var start = PerformanceStart()
    start.prompt = started.prompt
    perform(start, anchor: nil, wasPlaying: wasPlaying)
  }

  private func perform(_ base: PerformanceStart, anchor: Int?, wasPlaying: Bool) {
    var start = base
    start.controls = controls.sorted { $0.key < $1.key }.map(\.value)
    start.directions = directions
    start.text = text?.context
    if holdsLoudness, start.loudness == nil {
      var meter = LoudnessGuard(rate: instrument.sampleRate, channels: 1, target: -20)
      start.loudness = promptSound.isEmpty ? -20 : Double(meter.measure(promptSound.suffix(96000)))
      if let loudness = start.loudness, loudness < -45 { start.loudness = nil }
    }
    started = start
    startedWords = text?.words ?? ""
    let performance = Performance(instrument: instrument, start: start, pool: pool)
    performance.prepare()
    let claimed = exchange.output.claimed
    let place =
      anchor
      ?? claimed + rate / 4 - performance.firstSample * rate / instrument.sampleRate
    feeder = OutputFeeder(
      timeline: Timeline(
        modelRate: instrument.sampleRate, hop: instrument.hop,
        longestDelay: performance.codes.pattern.longestDelay,
        lookahead: instrument.codec.decoderLookahead, serverRate: rate, anchor: place),
      start: 0)
    self.performance = performance
    isJoined = false
    sounding.forgetChanges()
    exchange.fadeFrames.store(max(1, rate * 3 / 100), ordering: .relaxed)
    if !wasPlaying { exchange.joinFrame.store(AudioExchange.never, ordering: .releasing) }
    enter(.playing)
  }

  /// Joins as soon as there is sound for a moment that has not come yet.
  private func join(_ performance: Performance) {
    guard var feeder else { return }
    let period = exchange.period.load(ordering: .relaxed)
    let frame = max(
      exchange.output.claimed + period + rate / 100,
      feeder.timeline.frame(ofSample: performance.firstSample))
    guard feeder.end(of: performance.sound) - frame >= rate / 10 + period else { return }
    feeder.begin(at: frame, fade: rate * 3 / 100)
    _ = feeder.publish(performance.sound, to: exchange)
    if exchange.joinFrame.load(ordering: .acquiring) == AudioExchange.never {
      exchange.leaveFrame.store(AudioExchange.never, ordering: .releasing)
      exchange.joinFrame.store(frame, ordering: .releasing)
    }
    self.feeder = feeder
    isJoined = true
    knownUnderruns = exchange.underruns.load(ordering: .relaxed)
    exchange.awaited.store(0, ordering: .releasing)
    let seconds = Double((ContinuousClock.now - triggered).components.attoseconds) * 1e-18
    _ = reports.offer(
      .joined(
        frame: frame,
        seconds: seconds + Double((ContinuousClock.now - triggered).components.seconds)))
  }

  // MARK: Playing

  /// One turn of the loop while music is made.
  private func play(_ changes: [MusicControl]) {
    guard let performance else { return }
    followRate()
    if !changes.isEmpty {
      goBack(performance)
      for control in changes { performance.apply(control) }
      for control in changes where control.received > 0 {
        expect(slot: control.slot, performance, received: control.received)
      }
    }
    let claimed = exchange.output.claimed
    let ahead = isJoined ? Double((feeder?.published ?? claimed) - claimed) / Double(rate) : 0
    ready.store(Int(max(0, ahead) * 1000), ordering: .relaxed)
    sendMeters()
    // What is due while two steps are made, beside the model's own delay, can never be ready later.
    let least =
      0.2 + 2 * stepSeconds + 2 * Double(exchange.period.load(ordering: .relaxed)) / Double(rate)
    let target = ladder.lookahead(wanted: lookahead, least: least)
    guard ahead < target else {
      usleep(1500)
      return
    }
    let began = ContinuousClock.now
    // With music ahead the decoder may wait for a few frames, which makes each of them cheaper; behind
    // a change every frame counts.
    performance.decodedTogether = ahead > 0.6 * min(lookahead, 1) ? 5 : 1
    performance.step()
    if performance.codes.isBroken { return heal(performance) }
    if slowness > 0 { usleep(UInt32(slowness * 1e6)) }
    remember(performance)
    if isJoined {
      publish(performance)
    } else {
      join(performance)
    }
    let spent = ContinuousClock.now - began
    let seconds = Double(spent.components.attoseconds) * 1e-18 + Double(spent.components.seconds)
    stepSeconds += 0.02 * (seconds - stepSeconds)
    worstStep = max(worstStep * 0.998, min(seconds, 0.1))
    let factor = stepSeconds * Double(instrument.framesPerSecond)
    if isJoined { giveWay(performance, factor: factor, ready: ahead, target: target) }
    realTimeFactor.store(Int(factor * 1e6), ordering: .relaxed)
    step.store(performance.nextStep, ordering: .relaxed)
    if unsticks, performance.nextStep % 50 == 0, performance.isStuck {
      performance.reseed()
      _ = reports.offer(.notice(.stuck))
    }
  }

  /// A cache that holds NaN never gets well again: the music goes on in a performance of its own.
  private func heal(_ performance: Performance) {
    _ = reports.offer(.notice(.broken))
    if isJoined {
      blend()
    } else {
      restart(seed: performance.nextStep)
    }
  }

  private func publish(_ performance: Performance) {
    _ = feeder?.publish(performance.sound, to: exchange)
    let behind = exchange.output.claimed - (feeder?.published ?? 0)
    if behind > rate / 2 {
      // Never to be caught up by skipping: the music waits instead.
      feeder?.delay(by: behind + rate / 5)
    }
  }

  /// Where the machine is too slow, something gives way; see `OverloadLadder`.
  private func giveWay(
    _ performance: Performance, factor: Double, ready: Double, target: Double
  ) {
    let underruns = exchange.underruns.load(ordering: .relaxed)
    let isMissing = underruns != knownUnderruns && exchange.output.claimed > excusedUntil
    knownUnderruns = underruns
    for rung in ladder.step(factor: factor, ready: ready, target: target, isMissing: isMissing) {
      switch rung {
      case .none:
        readExtras(wantsExtras, performance)
        _ = reports.offer(.notice(.recovered))
      case .lookahead: _ = reports.offer(.notice(.keepsLessReady))
      case .extras:
        readExtras(false, performance)
        _ = reports.offer(.notice(.skipsExtras))
      case .silence: _ = reports.offer(.notice(.padsSilence))
      }
    }
  }

  /// Codes may depend on what was read, so this stands in the score like every other change.
  private func readExtras(_ isOn: Bool, _ performance: Performance) {
    let control = MusicControl(.extras, isOn ? 1 : 0)
    let key = Int(control.target.rawValue) * 16
    guard (controls[key]?.value ?? 1) != control.value else { return }
    controls[key] = control
    performance.apply(control)
  }

  /// Goes back to the first step that can still be heard in time.
  /// - Parameter seconds: what has to be done before the next step.
  private func goBack(_ performance: Performance, allowing seconds: Double = 0) {
    guard isJoined, var feeder else { return }
    // A server that freewheels plays faster than anybody can change his mind: it is stopped meanwhile.
    let wheels = exchange.freewheel.load(ordering: .acquiring) != 0
    if wheels { hold() }
    defer { if wheels { exchange.held.store(0, ordering: .sequentiallyConsistent) } }
    // Two steps' work, two periods and 5 ms: time to make the new sound before it is due.
    let margin =
      Int((2 * worstStep + 0.005 + seconds) * Double(rate))
      + 2 * exchange.period.load(ordering: .relaxed)
    let open = feeder.sample(stillOpenAt: exchange.output.claimed + margin)
    let step = max(feeder.timeline.firstStep(audibleFrom: open), performance.earliestStep)
    guard step < performance.nextStep else { return }
    performance.rollBack(toStep: step)
    feeder.rewind(to: performance.sound)
    if wheels { exchange.output.truncate(to: feeder.published) }
    self.feeder = feeder
  }

  /// Waits until the callback does, a tenth of a second at most.
  private func hold() {
    exchange.held.store(1, ordering: .sequentiallyConsistent)
    for _ in 0..<1000 where exchange.waits.load(ordering: .sequentiallyConsistent) == 0 {
      usleep(100)
    }
  }

  /// Remembers when a change will be heard.
  private func expect(slot: Int, _ performance: Performance, received: Double) {
    guard let timeline = feeder?.timeline else { return }
    let sample = timeline.finalSamples(beforeStep: performance.nextStep)
    sounding.expect(
      slot: slot, step: performance.nextStep, frame: timeline.frame(ofSample: sample),
      received: received)
  }

  private func announceApplied() {
    guard isJoined else { return }
    sounding.tellChanges(heardBy: exchange.output.claimed) { _ = reports.offer($0) }
  }

  /// The server runs at another rate now: the music goes on from where it is.
  private func followRate() {
    let now = exchange.sampleRate.load(ordering: .acquiring)
    guard now != rate, now > 0 else { return }
    rate = now
    excusedUntil = exchange.output.claimed + now / 2
    guard isJoined else { return }
    let claimed = exchange.output.claimed
    exchange.output.truncate(to: claimed)
    feeder?.change(toServerRate: now, at: claimed)
    exchange.fadeFrames.store(max(1, rate * 3 / 100), ordering: .relaxed)
  }

  private func remember(_ performance: Performance) {
    let steering = performance.steering
    sounding.remember(step: performance.nextStep - 1) { slot in
      guard steering.isRead(slot: slot), let now = steering.reading(slot: slot) else { return nil }
      return SoundingReports.Meter(
        reading: now.reading, threshold: now.threshold, gain: now.gain)
    }
  }

  /// What the model believes about the music that is heard now.
  private func sendMeters() {
    guard isJoined, let timeline = feeder?.timeline, let performance else { return }
    let step = timeline.sample(atFrame: exchange.output.claimed) / instrument.hop + 1
    guard step > performance.codes.promptFrames, step < performance.nextStep,
      step > performance.nextStep - Performance.memory
    else { return }
    sounding.tellMeters(ofStep: step) { _ = reports.offer($0) }
  }

  // MARK: Takes

  private func keep(_ name: String, isAutomatic: Bool = false) {
    guard let performance, performance.codes.wholeFrames > performance.codes.promptFrames else {
      takes.post(
        TakeMaterial(
          name: name, isAutomatic: isAutomatic, codes: [], promptFrames: 0, promptSound: [],
          score: [], loudness: nil,
          plan: WindowPlan()))
      return
    }
    takes.post(
      TakeMaterial(
        name: name, isAutomatic: isAutomatic,
        codes: performance.codes.codes(
          performance.codes.firstFrame..<performance.codes.wholeFrames),
        promptFrames: performance.codes.promptFrames, promptSound: promptSound,
        score: performance.score, loudness: started.loudness, plan: started.plan,
        words: startedWords))
  }
}
