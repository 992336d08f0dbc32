import Kernels
import Models
import TestSupport
import Testing

/// A float32 matrix for tests, its memory kept by the matrix's owner.
@safe private final class Owner {
  let memory: UnsafeMutablePointer<Float>
  init(_ values: [Float]) {
    unsafe memory = .allocate(capacity: values.count)
    unsafe memory.initialize(from: values, count: values.count)
  }
  deinit { unsafe memory.deallocate() }
}

private func matrix(_ values: [Float], rows: Int) -> WeightMatrix {
  let owner = Owner(values)
  return unsafe WeightMatrix(
    rows: rows, columns: values.count / rows, base: UnsafePointer(owner.memory), owner: owner)
}

@Suite("Steering")
struct SteeringTests {
  static let layers = 2
  static let heads = 3
  static let dimension = 4
  static let width = 12

  private struct Case {
    var probes: ProbeSet
    var projections: [[Float]]
    var direction: SteeringDirection
  }

  private func make(seed: UInt64, options: DirectionOptions = DirectionOptions(monitors: 3)) -> Case
  {
    var random = TestRandom(seed: seed)
    let probes = random.probes(
      layers: Self.layers, heads: Self.heads, dimension: Self.dimension)
    let projections = (0..<Self.layers).map { _ in random.normal(Self.width * Self.width) }
    return Case(
      probes: probes, projections: projections,
      direction: SteeringDirection(
        probes: probes, options: options,
        projections: projections.map { matrix($0, rows: Self.width) }, pool: ComputePool()))
  }

  private func steering(_ direction: SteeringDirection, strength: Float) -> Steering {
    let steering = Steering(layers: Self.layers, width: Self.width)
    steering.place(direction, slot: 2)
    steering.settings[2].strength = strength
    steering.settings[2].alpha = 4
    steering.settings[2].period = 3
    steering.settings[2].start = 5
    return steering
  }

  private func added(_ steering: Steering, layer: Int) -> [Float] {
    var y = FloatBuffer(count: Self.width)
    var span = y.mutableSpan
    steering.add(layer: layer, into: &span)
    return y.array()
  }

  private func observe(_ steering: Steering, _ z: [Float], step: Int) {
    steering.observe(headOutputs: FloatBuffer(z).span, step: step)
  }

  @Test("what is added is the projection of every head's weighted direction")
  func projection() {
    for (method, kind) in [
      (SteeringMethod.smitin, DirectionKind.probe), (.iti, .probe), (.smitin, .meanDifference),
    ] {
      let options = DirectionOptions(kind: kind, power: 2, hardHeads: 2, monitors: 3)
      let made = make(seed: 1, options: options)
      let steering = steering(made.direction, strength: 0.5)
      steering.settings[2].method = method
      steering.decide(step: 5)
      let weights =
        method == .smitin
        ? made.probes.softWeights(power: 2) : made.probes.hardWeights(count: 2)
      let source = kind == .probe ? made.probes.theta : made.probes.meanDifference
      for layer in 0..<Self.layers {
        var expected = [Float](repeating: 0, count: Self.width)
        for head in 0..<Self.heads {
          let index = layer * Self.heads + head
          let theta = source[index * Self.dimension..<(index + 1) * Self.dimension]
          let norm = theta.map { $0 * $0 }.reduce(0, +).squareRoot()
          for (d, value) in theta.enumerated() {
            let push = 0.5 * 4 * weights[index] * made.probes.sigma[index] * value / norm
            for row in 0..<Self.width {
              expected[row] +=
                made.projections[layer][row * Self.width + head * Self.dimension + d] * push
            }
          }
        }
        for (found, expected) in zip(added(steering, layer: layer), expected) {
          #expect(abs(found - expected) < 1e-4)
        }
      }
    }
  }

  @Test("the reading is the median of the monitors' probabilities")
  func reading() {
    for monitors in [1, 2, 3, 4] {
      let made = make(seed: 2, options: DirectionOptions(monitors: monitors))
      let steering = steering(made.direction, strength: 1)
      var random = TestRandom(seed: 7)
      let z = random.normal(Self.layers * Self.width)
      observe(steering, z, step: 0)
      let chances = made.probes.bestHeads(count: monitors).map { head -> Double in
        var sum = Double(made.probes.bias[head])
        for d in 0..<Self.dimension {
          sum +=
            Double(made.probes.theta[head * Self.dimension + d])
            * Double(z[head * Self.dimension + d])
        }
        return 1 / (1 + (-sum).exponential)
      }.sorted()
      let median = (chances[(monitors - 1) / 2] + chances[monitors / 2]) / 2
      #expect(abs(Double(steering.state.slots[2].reading) - median) < 1e-6)
    }
  }

  @Test("interventions come every period from the start, with the gain of the rule")
  func schedule() {
    let made = make(seed: 3)
    let steering = steering(made.direction, strength: 1)
    var random = TestRandom(seed: 11)
    var gain: Float = 0
    var previous = Float.nan
    for step in 0..<60 {
      let before = steering.state.slots[2].reading
      steering.decide(step: step)
      let isIntervention = step >= 5 && (step - 5) % 3 == 0
      if isIntervention {
        gain =
          step == 5
          ? 1
          : UpdateRule.reset.next(
            gain: gain, reading: before, previous: previous,
            threshold: made.direction.threshold)
        previous = before
      }
      #expect(steering.reading(slot: 2)?.gain == (isIntervention ? gain : 0))
      let y = added(steering, layer: 1)
      #expect(y.contains { $0 != 0 } == (isIntervention && gain != 0))
      observe(steering, random.normal(Self.layers * Self.width), step: step)
    }
    #expect(steering.state.slots[2].counted == 55)
  }

  @Test("a negative strength mirrors the reading")
  func mirrored() throws {
    let made = make(seed: 4)
    let steering = steering(made.direction, strength: -1)
    var random = TestRandom(seed: 12)
    observe(steering, random.normal(Self.layers * Self.width), step: 4)
    let raw = steering.state.slots[2].reading
    steering.decide(step: 5)
    #expect(try #require(steering.reading(slot: 2)).reading == 1 - raw)
    steering.state.slots[2].reading = 1 - made.direction.threshold - 0.01
    for step in 6...8 { steering.decide(step: step) }
    #expect(try #require(steering.reading(slot: 2)).gain == 0)
  }

  @Test("strength 0, an empty slot, method none and the steps before the start add nothing at all")
  func nothing() {
    let made = make(seed: 5)
    let off = steering(made.direction, strength: 0)
    let none = steering(made.direction, strength: 1)
    none.settings[2].method = .none
    let empty = steering(made.direction, strength: 1)
    empty.place(nil, slot: 2)
    let early = steering(made.direction, strength: 1)
    early.settings[2].start = 100
    for steering in [off, none, empty, early] {
      for step in 0..<20 {
        steering.decide(step: step)
        // −0 + 0 would be +0: the sign shows that nothing was added.
        var y = FloatBuffer([Float](repeating: -0.0, count: Self.width))
        var span = y.mutableSpan
        steering.add(layer: 0, into: &span)
        #expect(y.array().allSatisfy { $0.sign == .minus })
      }
    }
  }

  @Test("putting an earlier state back gives the same gains and counts again")
  func rollback() {
    let made = make(seed: 6)
    let steering = steering(made.direction, strength: 1)
    var random = TestRandom(seed: 13)
    let z = (0..<40).map { _ in random.normal(Self.layers * Self.width) }
    var states: [SteeringState] = []
    var gains: [Float] = []
    func play(_ steps: Range<Int>) {
      for step in steps {
        states.append(steering.state)
        steering.decide(step: step)
        gains.append(steering.reading(slot: 2)?.gain ?? -1)
        observe(steering, z[step], step: step)
      }
    }
    play(0..<40)
    let first = gains
    let end = steering.state.slots[2]
    steering.state = states[17]
    gains.removeSubrange(17...)
    states.removeSubrange(17...)
    play(17..<40)
    #expect(gains == first)
    #expect(steering.state.slots[2] == end)
  }

  @Test("a ramp moves the strength evenly, and a slot that was off begins with an intervention")
  func ramp() {
    let made = make(seed: 7)
    let steering = steering(made.direction, strength: 0)
    for step in 0..<9 { steering.decide(step: step) }
    steering.settings[2].strength = 1
    steering.settings[2].ramp = 4
    steering.decide(step: 9)
    #expect(steering.state.slots[2].strength == 0.25)
    #expect(steering.reading(slot: 2)?.gain == 1)
    for step in 10..<14 { steering.decide(step: step) }
    #expect(steering.state.slots[2].strength == 1)
    steering.settings[2].strength = -1
    steering.settings[2].ramp = 0
    steering.decide(step: 14)
    #expect(steering.state.slots[2].strength == -1)
  }

  @Test("the original intervention pushes at every step, its decaying form ever less")
  func original() {
    let made = make(seed: 8)
    let steering = steering(made.direction, strength: 1)
    steering.settings[2].method = .itiDecay
    steering.settings[2].decaySteps = 10
    var gains: [Float] = []
    for step in 5..<20 {
      steering.decide(step: step)
      gains.append(steering.reading(slot: 2)?.gain ?? -1)
    }
    #expect(gains[0] == 1 && abs(gains[5] - 0.5) < 1e-6 && gains[10] == 0 && gains[14] == 0)
    steering.settings[2].method = .iti
    for step in 20..<25 {
      steering.decide(step: step)
      #expect(steering.reading(slot: 2)?.gain == 1)
    }
  }

  @Test("several directions add up")
  func several() {
    let steering = Steering(layers: Self.layers, width: Self.width)
    var single: [[Float]] = []
    for slot in 0..<Steering.slotCount {
      let made = make(seed: 20 + UInt64(slot))
      steering.place(made.direction, slot: slot)
      steering.settings[slot].strength = slot % 2 == 0 ? 1 : -0.5
      let alone = Steering(layers: Self.layers, width: Self.width)
      alone.place(made.direction, slot: 0)
      alone.settings[0] = steering.settings[slot]
      alone.decide(step: 0)
      single.append(added(alone, layer: 1))
    }
    steering.decide(step: 0)
    let together = added(steering, layer: 1)
    for index in 0..<Self.width {
      let sum = single.reduce(0) { $0 + $1[index] }
      #expect(abs(together[index] - sum) < 1e-3)
    }
  }

  /// Random probes of all heads of a language model.
  private func modelDirection(_ model: LanguageModel, seed: UInt64) -> SteeringDirection {
    var random = TestRandom(seed: seed)
    let config = model.config
    let count = config.layers * config.heads
    let probes = ProbeSet(
      layers: config.layers, heads: config.heads, headDimension: config.headDimension,
      theta: random.normal(count * config.headDimension), bias: random.normal(count),
      sigma: random.normal(count).map { abs($0) + 0.5 },
      accuracyTrain: (0..<count).map { _ in 0.6 + 0.3 * random.uniform() },
      accuracyTest: (0..<count).map { _ in 0.6 + 0.3 * random.uniform() },
      meanDifference: random.normal(count * config.headDimension))
    return SteeringDirection(
      probes: probes, options: DirectionOptions(monitors: 2),
      projections: model.layers.map(\.attentionOutput), pool: ComputePool())
  }

  @Test(
    "recall gives way to a push, keeps what came in, and brings the theme back at rest"
  )
  func recall() throws {
    let model = try randomLanguageModel()
    let K = model.config.codebooks
    var random = TestRandom(seed: 41)
    let prompt = (0..<20 * K).map { _ in
      Int32.random(in: 0..<Int32(model.config.cardinality), using: &random)
    }
    let theme = Array(prompt.suffix(8 * K))
    func generator(recall: Float) -> CodeGenerator {
      let steering = Steering(layers: model.config.layers, width: model.config.hidden)
      steering.place(modelDirection(model, seed: 5), slot: 1)
      steering.settings[1].strength = 1
      steering.settings[1].method = .iti
      return CodeGenerator(
        model: model, prompt: prompt, settings: SamplingSettings(topK: 0, recall: recall, seed: 4),
        theme: theme, steering: steering, pool: ComputePool())
    }
    func play(_ generator: CodeGenerator, to frame: Int) -> [Int32] {
      while generator.nextStep <= frame { generator.step() }
      return generator.codes(0..<generator.wholeFrames)
    }
    let (plain, recalled) = (generator(recall: 0), generator(recall: 1000))
    #expect(recalled.steering?.push == nil, "nothing was decided yet")
    // It pushes with all its weight: as without recall.
    #expect(play(plain, to: 50) == play(recalled, to: 50))
    #expect(recalled.steering?.push == 1)
    // It is on and has no need to push: the round before, which no theme gave.
    recalled.steering?.settings[1].method = .itiDecay
    recalled.steering?.settings[1].decaySteps = 1
    var codes = play(recalled, to: 90)
    #expect(recalled.steering?.push == 0)
    func isLast(_ frame: Int) -> Bool { codes[frame * K] == codes[(frame - 8) * K] }
    func isTheme(_ frame: Int) -> Bool { codes[frame * K] == theme[(frame - 20) % 8 * K] }
    #expect((50..<80).allSatisfy(isLast) && !(50..<80).allSatisfy(isTheme))
    // At rest the theme is the prompt's.
    recalled.steering?.settings[1].strength = 0
    codes = play(recalled, to: 130)
    #expect(recalled.steering?.push == nil && (90..<120).allSatisfy(isTheme))
  }

  private func codes(_ model: LanguageModel, _ steering: Steering?, detour: Bool = false) -> [Int32]
  {
    let generator = CodeGenerator(
      model: model, settings: SamplingSettings(topK: 0, seed: 3), steering: steering,
      pool: ComputePool())
    var states: [SteeringState] = []
    func play(until step: Int) {
      while generator.nextStep <= step {
        if let steering { states.append(steering.state) }
        generator.step()
      }
    }
    play(until: 60)
    if detour, let steering {
      generator.rollBack(toStep: 31)
      steering.state = states[30]
      states.removeSubrange(30...)
      play(until: 60)
    }
    return generator.codes(0..<generator.wholeFrames)
  }

  @Test("in the model, knobs at 0 change no code, knobs that are up do, and rolling back replays")
  func inTheModel() throws {
    let model = try randomLanguageModel()
    let config = model.config
    let steering = Steering(layers: config.layers, width: config.hidden)
    for slot in 0..<7 {
      steering.place(modelDirection(model, seed: UInt64(slot)), slot: slot)
    }
    let plain = codes(model, nil)
    #expect(codes(model, steering) == plain)
    for slot in 0..<3 {
      steering.settings[slot].strength = 1
      steering.settings[slot].period = 2
    }
    steering.reset()
    let steered = codes(model, steering)
    #expect(steered != plain)
    let end = steering.state.slots[1]
    steering.reset()
    #expect(codes(model, steering, detour: true) == steered)
    #expect(steering.state.slots[1] == end)
  }
}

extension Double {
  /// e to this, by its series on a halved argument.
  fileprivate var exponential: Double {
    if abs(self) > 0.1 {
      let half = (self / 2).exponential
      return half * half
    }
    var term = 1.0
    var sum = 1.0
    for n in 1...12 {
      term *= self / Double(n)
      sum += term
    }
    return sum
  }
}
