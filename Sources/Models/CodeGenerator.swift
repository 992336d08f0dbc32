// The loop that makes codes: steer, pass, sample, undo the delay, move the window.
//
// The same loop serves `render` and the live engine. Its unit is the step (50 per second): step s runs
// the pass on position s − 1 and draws the tokens of stream step s, so codebook k of frame
// s − 1 − delay(k). Everything is a function of (model, prompt, settings and steering at each step):
// rolling back and generating again gives the same codes bit for bit.

package import Kernels

/// Makes codes step by step from a prompt, with or without text, for as long as wanted.
///
/// Threading: belongs to one thread; the pool's helpers compute inside `step`. Steps allocate nothing
/// once `reserve` was called.
package final class CodeGenerator {
  package let model: LanguageModel
  package let pattern: DelayPattern
  package let plan: WindowPlan
  /// Frames from this one on hold the special token, as in a generation of fixed length in the
  /// reference; `Int.max` plays on for ever.
  package let frameLimit: Int
  /// How codes are drawn. May change between steps; acts at the next one. The guidance may change too,
  /// but not from or to 1 when there is a text, since that is another number of branches.
  package var settings: SamplingSettings

  /// Steers all branches and reads the conditional one; nil for none. Its `state` between two steps
  /// belongs to the step that comes next: who rolls back puts the state of that step back.
  package let steering: Steering?

  /// Codebooks of each channel that recall makes likelier: two of them kept the tempo of 82 of 100 validation prompts,
  /// the first alone 75.
  private static let recalledBooks = 2

  /// What `settings.recall` leans on, over and over from the prompt's end on: codes (frames, K); empty for nothing.
  package let theme: [Int32]

  private var themeFrames: Int { theme.count / pattern.codebooks }

  /// Frames of the prompt.
  package let promptFrames: Int
  /// The next step to be drawn. The first is 1 + promptFrames.
  package private(set) var nextStep: Int
  /// The first frame that is still kept; see `forget`.
  package private(set) var firstFrame = 0
  private var kept: [Int32]  // (frames from firstFrame on, K)

  private let workspace: LanguageModelWorkspace
  private let pool: ComputePool
  private var sampler: Sampler
  private var tokens: [Int32]
  private var guided: FloatBuffer  // (V)
  /// The window that draws now.
  private var current: Window
  /// The one before it, or the one that is being filled.
  private var other: Window
  private var isPrefilled = false

  /// The codes seen from frame `origin` on: position p of the sequence is position p − origin here.
  private struct Window {
    var origin: Int
    /// The first position (of the sequence) whose pass this window ran.
    var start: Int
    /// One stream per branch.
    let streams: [LanguageModelStream]

    func truncate(toPosition position: Int) {
      for stream in streams where stream.length > position - origin {
        stream.truncate(to: max(position - origin, 0))
      }
    }
  }

  /// - Parameters:
  ///   - prompt: codes (frames, K) to continue; empty to start from nothing.
  ///   - text: read by the conditional branch; with a guidance other than 1 there is a second,
  ///     unconditional branch.
  ///   - theme: codes (frames, K) that `settings.recall` leans on; see `Pulse`.
  ///   - plan: the windows; of a prompt that leaves no room, only the last `context` steps are heard.
  ///   - pool: the threads that compute.
  package init(
    model: LanguageModel, prompt: [Int32] = [], text: TextContext? = nil,
    settings: SamplingSettings = SamplingSettings(), theme: [Int32] = [],
    plan: WindowPlan = WindowPlan(), steering: Steering? = nil, frameLimit: Int = .max,
    pool: ComputePool
  ) {
    let config = model.config
    precondition(
      prompt.count % config.codebooks == 0 && theme.count % config.codebooks == 0,
      "prompt and theme have whole frames")
    self.model = model
    self.plan = plan
    self.frameLimit = frameLimit
    self.steering = steering
    self.settings = settings
    self.theme = theme
    self.pool = pool
    pattern = DelayPattern(codebooks: config.codebooks, channels: config.audioChannels)
    kept = prompt
    promptFrames = prompt.count / config.codebooks
    nextStep = 1 + promptFrames
    workspace = LanguageModelWorkspace(config: config)
    sampler = Sampler(cardinality: config.cardinality)
    tokens = [Int32](repeating: 0, count: config.codebooks)
    guided = FloatBuffer(count: config.cardinality)
    let branches = text != nil && settings.guidance != 1 ? 2 : 1
    func window(origin: Int, start: Int) -> Window {
      let streams = (0..<branches).map { branch in
        let stream = LanguageModelStream(
          config: config, capacity: plan.length, cacheFormat: model.cacheFormat)
        if branch == 0 { stream.text = text }
        return stream
      }
      return Window(origin: origin, start: start, streams: streams)
    }
    let fits = promptFrames < plan.length - plan.fillPasses
    current = window(origin: fits ? 0 : promptFrames - plan.context, start: 0)
    other = window(origin: .min / 2, start: .min / 2)
  }

  /// Makes room for `frames` frames, so that steps up to there allocate nothing.
  package func reserve(frames: Int) { kept.reserveCapacity(frames * pattern.codebooks) }

  /// All branches of the window that draws now: the conditional one, then the unconditional.
  package var branches: [LanguageModelStream] { current.streams }
  /// The branch that is read by probes.
  package var stream: LanguageModelStream { current.streams[0] }
  /// Whether logits were no numbers at some step: the cache is spoilt from there on.
  package private(set) var isBroken = false
  /// Frames whose codes are all known.
  package var wholeFrames: Int { min(pattern.wholeFrames(afterStep: nextStep - 1), frameLimit) }

  /// The codes of frame `frame` (K), which must be whole and kept.
  package func codes(ofFrame frame: Int, into codes: inout [Int32]) {
    precondition(frame >= firstFrame && frame < wholeFrames, "frame \(frame) is not known")
    let start = (frame - firstFrame) * pattern.codebooks
    for k in 0..<pattern.codebooks { codes[k] = kept[start + k] }
  }

  /// The codes (frames, K) of the whole frames in `range`.
  package func codes(_ range: Range<Int>) -> [Int32] {
    precondition(range.lowerBound >= firstFrame && range.upperBound <= wholeFrames)
    let K = pattern.codebooks
    return Array(kept[(range.lowerBound - firstFrame) * K..<(range.upperBound - firstFrame) * K])
  }

  /// Gives up the codes of frames before `frame`, as far as no window needs them any more.
  package func forget(framesBefore frame: Int) {
    let needed = nextStep - 2 - pattern.longestDelay - max(plan.length, themeFrames)
    let first = min(frame, needed)
    guard first > firstFrame else { return }
    kept.removeFirst((first - firstFrame) * pattern.codebooks)
    firstFrame = first
  }

  /// Feeds the prompt up to the position before the first step's. The first `step` does it when nobody
  /// did before; the live engine calls it as early as it can.
  package func prefill() {
    guard !isPrefilled else { return }
    isPrefilled = true
    let block = 256
    var position = current.origin
    while position < nextStep - 1 {
      let end = min(position + block, nextStep - 1)
      for p in position..<end { feed(current, position: p) }
      model.step(current.streams, workspace: workspace, pool: pool)
      position = end
    }
    if nextStep - 1 > current.origin { readHeads(step: nextStep - 1) }
  }

  /// Shows the conditional branch's heads, before anything was added to them, to the probes.
  private func readHeads(step: Int) {
    guard let steering else { return }
    stream.withHeadOutputs { steering.observe(headOutputs: $0.span, step: step) }
  }

  /// Runs the pass of the next step and draws its tokens.
  /// - Parameter observe: called between the pass and the draw, with the logits in the branches.
  package func step(observe: ((CodeGenerator) -> Void)? = nil) {
    prefill()
    steering?.decide(step: nextStep)
    pass()
    readHeads(step: nextStep)
    observe?(self)
    draw()
    nextStep += 1
  }

  /// Runs the next step of several generators of one model in one pass over its weights. Up to
  /// `LanguageModel.exactColumns` columns each gets the codes that it would get alone, bit for bit.
  package static func step(_ generators: [CodeGenerator]) {
    guard let first = generators.first else { return }
    var streams: [LanguageModelStream] = []
    for generator in generators {
      precondition(generator.model === first.model, "generators of different models")
      generator.prefill()
      generator.steering?.decide(step: generator.nextStep)
      let fillsOther = generator.feedStep()
      streams += generator.current.streams
      if fillsOther { streams += generator.other.streams }
    }
    first.model.step(streams, workspace: first.workspace, pool: first.pool)
    for generator in generators {
      generator.readHeads(step: generator.nextStep)
      generator.draw()
      generator.nextStep += 1
    }
  }

  /// Goes back so that `step` is the next step: its tokens and all later ones are forgotten.
  ///
  /// - Parameter step: not before the first generated step, nor further back than half a window.
  package func rollBack(toStep step: Int) {
    precondition(step > promptFrames && step <= nextStep, "cannot roll back to step \(step)")
    precondition(nextStep - step < plan.length - plan.context - plan.fillPasses, "too far back")
    guard step < nextStep else { return }
    let position = step - 1
    if position < current.start { swap(&current, &other) }
    current.truncate(toPosition: position)
    if other.origin == nextOrigin {
      let filled = plan.filled(beforePosition: position, origin: current.origin)
      other.truncate(toPosition: other.origin + filled)
    }
    nextStep = step
    // A frame whose first codebook was not drawn yet goes; the later codebooks of older frames are
    // drawn again before anybody reads them.
    let frames = max(promptFrames, step - 1)
    let surplus = kept.count - (frames - firstFrame) * pattern.codebooks
    if surplus > 0 { kept.removeLast(surplus) }
  }

  /// Where the window after the current one begins.
  private var nextOrigin: Int { current.origin + plan.length - plan.context }

  private func pass() {
    if feedStep() {
      model.step(current.streams, and: other.streams, workspace: workspace, pool: pool)
    } else {
      model.step(current.streams, workspace: workspace, pool: pool)
    }
  }

  /// Moves the window when it is full and feeds the tokens of the next step's pass.
  /// - Returns: whether the next window takes part in the pass.
  private func feedStep() -> Bool {
    let position = nextStep - 1
    if position - current.origin == plan.length {
      swap(&current, &other)
      current.start = position
    }
    for stream in current.streams { stream.steering = steering }
    for stream in other.streams { stream.steering = nil }
    feed(current, position: position)
    let target = plan.filled(beforePosition: position + 1, origin: current.origin)
    guard target > 0 else { return false }
    if other.origin != nextOrigin {
      other.origin = nextOrigin
      other.start = .max
      for stream in other.streams { stream.reset() }
    }
    for p in other.streams[0].length..<max(target, other.streams[0].length) {
      feed(other, position: other.origin + p)
    }
    return true
  }

  /// Adds the tokens of `position` to the next pass of a window's streams.
  private func feed(_ window: Window, position: Int) {
    let special = Int32(model.config.cardinality)
    for k in 0..<pattern.codebooks {
      let frame = pattern.frame(step: position, codebook: k)
      let isKnown = frame >= window.origin && frame >= 0 && frame < frameLimit
      tokens[k] = isKnown ? kept[(frame - firstFrame) * pattern.codebooks + k] : special
    }
    for stream in window.streams { stream.feed(tokens) }
  }

  private func draw() {
    let K = pattern.codebooks
    let random = CounterRandom(seed: settings.seed)
    for book in 0..<K {
      let frame = pattern.frame(step: nextStep, codebook: book)
      guard frame >= promptFrames, frame < frameLimit else { continue }
      guide(book)
      if !Sampler.areFinite(guided.span) { isBroken = true }
      recall(book, frame)
      let code = sampler.draw(
        guided.span, settings: settings, uniform: random.uniform(step: nextStep, codebook: book))
      while kept.count < (frame - firstFrame + 1) * K {
        kept.append(Int32(model.config.cardinality))
      }
      kept[(frame - firstFrame) * K + book] = code
    }
  }

  /// Makes the theme's code at the place of `frame` likelier: in the first two codebooks (of each channel), while the
  /// finer ones stay free.
  ///
  /// A theme lacks what a knob is to add, so recall gives way to knobs: it has the share 1 − g while they push, and as
  /// long as one is on it brings back what was played the last time round instead, as an overdubbing looper does, with
  /// what came in since. A function of the codes and of the steering's state, so rolling back needs no care.
  /// Source: ours.
  private func recall(_ book: Int, _ frame: Int) {
    guard settings.recall != 0, book < Self.recalledBooks * pattern.channels, !theme.isEmpty else {
      return
    }
    let (K, length) = (pattern.codebooks, themeFrames)
    let push = steering?.push
    let code =
      push == nil
      ? theme[(frame - promptFrames) % length * K + book]
      : kept[(max(frame - length, firstFrame) - firstFrame) * K + book]
    guard code >= 0, code < model.config.cardinality else { return }
    // The buffer is a member of this object, which outlives the call.
    var logits = unsafe guided.heldMutableSpan(0..<model.config.cardinality)
    logits[Int(code)] += settings.recall * (1 - (push ?? 0))
  }

  /// Puts the logits of `book`, guided when there are two branches, into `guided`.
  private func guide(_ book: Int) {
    let (K, V) = (model.config.codebooks, model.config.cardinality)
    let guidance = settings.guidance
    for (branch, stream) in current.streams.enumerated() {
      stream.withLogits { logits, columns in
        let start = ((columns - 1) * K + book) * V
        // The buffer is a member of this object, which outlives the call.
        var target = unsafe guided.heldMutableSpan(0..<V)
        let source = logits.span(start..<start + V)
        if branch == 0 {
          for i in 0..<V { target[i] = source[i] }
        } else {
          Sampler.guide(&target, unconditional: source, guidance: guidance)
        }
      }
    }
  }
}
