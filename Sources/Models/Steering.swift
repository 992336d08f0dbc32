// Steering in the step: up to eight traits pushed towards or away from, each watched by the model.
//
// One value per running generator. A step goes: `decide(step:)`, then the language model calls
// `add(layer:into:)` once per layer between the output projection and the residual, then
// `observe(headOutputs:step:)` reads the heads of the newest position, taken before anything was
// added. The decision at step t uses the reading of step t − 1, since the first layer is steered
// before the last is computed. Source: paper 3.1 to 3.4, METHOD 4.
//
// Strength 0, an empty slot and a step without intervention add nothing at all: those results are the
// same bit for bit as without steering. Nothing is allocated after init. Used by one thread at a time.

internal import Kernels
import RealModule

/// What the player sets on one slot. Small, copied freely.
package struct SteeringSettings: Sendable, Equatable, BitwiseCopyable {
  /// −2 … 2; 0 is off, negative removes the trait.
  package var strength: Float = 0
  /// α: the dose at strength 1.
  package var alpha: Float = 5
  package var method: SteeringMethod = .smitin
  package var updateRule: UpdateRule = .reset
  package var weighting: SteeringWeighting = .usual
  /// s: steps from one intervention to the next under `smitin`, ≥ 1.
  package var period: Int = 5
  /// T_start: the first step that may be steered and that counts for the success rate.
  package var start: Int = 0
  /// Steps that a change of strength by 1 takes; 0 jumps at once [ours].
  package var ramp: Float = 0
  /// Steps after which `iti-decay` has fallen to 0, ≥ 1.
  package var decaySteps: Int = 1500

  package init() {}

  /// Whether the push is that of the soft weights.
  var usesSoftWeights: Bool {
    switch weighting {
    case .usual: method == .smitin
    case .soft: true
    case .hard: false
    }
  }
}

/// What one slot remembers from step to step.
package struct SlotState: Sendable, Equatable, BitwiseCopyable {
  /// g of the newest intervention.
  package var gain: Float = 0
  /// C that the newest intervention used, not mirrored; NaN when none.
  package var previous: Float = .nan
  /// C of the newest step, not mirrored; NaN when nothing was read yet.
  package var reading: Float = .nan
  /// Strength on its ramp.
  package var strength: Float = 0
  /// Step of the first intervention; −1 while off. Interventions keep its phase.
  package var origin: Int32 = -1
  /// Steps since the start with C ≥ τ.
  package var present: Int32 = 0
  /// Steps since the start.
  package var counted: Int32 = 0

  package init() {}

  /// Share of the steps since the start with C ≥ τ, nil before the first. The rate of a removal is 1
  /// minus this.
  package var successRate: Float? {
    counted > 0 ? Float(present) / Float(counted) : nil
  }
}

/// Everything that steering remembers: kept by the caller for each step that it may roll back to.
package struct SteeringState: Sendable, BitwiseCopyable {
  package var slots = InlineArray<8, SlotState>(repeating: SlotState())

  package init() {}
}

/// What a meter shows for one slot.
package struct SteeringReading: Sendable, Equatable, BitwiseCopyable {
  /// C of the newest step, mirrored while the trait is being removed; NaN when nothing was read.
  package var reading: Float
  /// τ.
  package var threshold: Float
  /// g applied at the newest step, 0 without intervention.
  package var gain: Float
}

/// Up to eight directions with their settings and state.
package final class Steering: @unchecked Sendable {
  /// How many traits can be steered at once.
  package static let slotCount = 8

  /// What the player set, one entry per slot.
  package var settings = [SteeringSettings](repeating: SteeringSettings(), count: slotCount)
  /// Whether slots at rest, of strength 0, are read too: for their meters, and for what a later push finds.
  package var readsIdle = true
  /// What must be put back when the generator rolls back: the value before `decide` of that step.
  package var state = SteeringState()

  private var directions = [SteeringDirection?](repeating: nil, count: slotCount)
  /// Strength · α · g of this step.
  private var coefficients = [Float](repeating: 0, count: slotCount)
  /// g of this step.
  private var applied = [Float](repeating: 0, count: slotCount)
  private let layers: Int
  private let width: Int
  private var scratch = FloatBuffer(count: 1024)  // probabilities of one slot's monitors
  private var pushes = false

  /// Makes eight empty slots for a model of `layers` layers and `width` = C.
  package init(layers: Int, width: Int) {
    self.layers = layers
    self.width = width
  }

  /// Puts a direction into a slot, or empties it; the slot's state starts anew.
  package func place(_ direction: SteeringDirection?, slot: Int) {
    if let direction {
      precondition(
        direction.layers == layers && direction.width == width, "a direction of another model")
      precondition(direction.monitors.count <= scratch.count, "too many monitors")
    }
    directions[slot] = direction
    state.slots[slot] = SlotState()
    coefficients[slot] = 0
    applied[slot] = 0
  }

  /// The direction in a slot.
  package func direction(slot: Int) -> SteeringDirection? { directions[slot] }

  /// Forgets gains, readings and counts of all slots; directions and settings stay.
  package func reset() {
    state = SteeringState()
    for slot in 0..<Self.slotCount {
      coefficients[slot] = 0
      applied[slot] = 0
    }
    pushes = false
  }

  /// Fixes what is added during `step`, from the readings of the step before.
  package func decide(step: Int) {
    pushes = false
    for slot in 0..<Self.slotCount {
      coefficients[slot] = 0
      applied[slot] = 0
      guard let direction = directions[slot] else { continue }
      let setting = settings[slot]
      move(&state.slots[slot].strength, towards: setting.strength, ramp: setting.ramp)
      let dose = state.slots[slot].strength * setting.alpha
      guard dose != 0, dose.isFinite, setting.method != .none, step >= setting.start else {
        state.slots[slot].origin = -1
        state.slots[slot].gain = 0
        continue
      }
      let isFirst = state.slots[slot].origin < 0
      if isFirst { state.slots[slot].origin = Int32(clamping: step) }
      let since = step - Int(state.slots[slot].origin)
      switch setting.method {
      case .none: continue
      case .iti: state.slots[slot].gain = 1
      case .itiDecay:
        state.slots[slot].gain = max(0, 1 - Float(since) / Float(max(setting.decaySteps, 1)))
      case .smitin:
        guard since % max(setting.period, 1) == 0 else { continue }
        let current = state.slots[slot].reading
        let previous = state.slots[slot].previous
        state.slots[slot].gain =
          isFirst
          ? 1
          : setting.updateRule.next(
            gain: state.slots[slot].gain, reading: dose < 0 ? 1 - current : current,
            previous: dose < 0 ? 1 - previous : previous, threshold: direction.threshold)
        state.slots[slot].previous = current
      }
      applied[slot] = state.slots[slot].gain
      coefficients[slot] = dose * applied[slot]
      pushes = pushes || coefficients[slot] != 0
    }
  }

  /// Adds this step's push of `layer` to `y`: (C), the newest position after the output projection
  /// and before the residual.
  package func add(layer: Int, into y: inout MutableSpan<Float>) {
    guard pushes else { return }
    precondition(y.count == width)
    for slot in 0..<Self.slotCount where coefficients[slot] != 0 {
      guard let direction = directions[slot] else { continue }
      let coefficient = coefficients[slot]
      if settings[slot].usesSoftWeights {
        accumulate(direction.soft, row: layer, coefficient, &y)
      } else {
        accumulate(direction.hard, row: layer, coefficient, &y)
      }
    }
  }

  /// Reads the monitors of every slot.
  ///
  /// - Parameters:
  ///   - headOutputs: z (L, C) of the newest position, before anything was added.
  ///   - step: the step that `headOutputs` belongs to; steps from a slot's start on are counted.
  package func observe(headOutputs: Span<Float>, step: Int) {
    precondition(headOutputs.count == layers * width)
    for slot in 0..<Self.slotCount {
      guard let direction = directions[slot], isRead(slot: slot) else { continue }
      let reading = median(direction, headOutputs, direction.monitorTheta, &scratch)
      state.slots[slot].reading = reading
      guard step >= settings[slot].start else { continue }
      state.slots[slot].counted &+= 1
      if reading >= direction.threshold { state.slots[slot].present &+= 1 }
    }
  }

  /// The largest g (0 … 1) of the slots that are on; nil while all are at rest.
  package var push: Float? {
    var largest: Float?
    for slot in 0..<Self.slotCount where state.slots[slot].origin >= 0 {
      largest = max(largest ?? 0, min(max(state.slots[slot].gain, 0), 1))
    }
    return largest
  }

  /// Whether the monitors of a slot are read at the present step.
  package func isRead(slot: Int) -> Bool {
    readsIdle || settings[slot].strength != 0 || state.slots[slot].strength != 0
  }

  /// C, τ and g of a slot at the newest step; nil for an empty slot.
  package func reading(slot: Int) -> SteeringReading? {
    guard let direction = directions[slot] else { return nil }
    let now = state.slots[slot]
    let removes = now.strength * settings[slot].alpha < 0
    return SteeringReading(
      reading: removes ? 1 - now.reading : now.reading, threshold: direction.threshold,
      gain: applied[slot])
  }

  /// Moves a strength towards its target by at most 1/ramp per step.
  private func move(_ strength: inout Float, towards target: Float, ramp: Float) {
    guard ramp > 0, target.isFinite else {
      strength = target.isFinite ? target : 0
      return
    }
    let stride = 1 / ramp
    strength =
      abs(target - strength) <= stride ? target : strength + (target > strength ? stride : -stride)
  }
}

/// y += coefficient · row of `vectors` (rows, C).
private func accumulate(
  _ vectors: borrowing FloatBuffer, row: Int, _ coefficient: Float, _ y: inout MutableSpan<Float>
) {
  let width = y.count
  let vector = vectors.span(row * width..<(row + 1) * width)
  for index in 0..<width { y[index] += coefficient * vector[index] }
}

/// C (Eq. 5): the median of the monitors' probabilities; the mean of the middle two when even.
///
/// - Parameters:
///   - headOutputs: z (L, C).
///   - monitorTheta: θ of the direction's monitors (k, D).
///   - scratch: room for k probabilities.
private func median(
  _ direction: SteeringDirection, _ headOutputs: Span<Float>,
  _ monitorTheta: borrowing FloatBuffer, _ scratch: inout FloatBuffer
) -> Float {
  let dimension = direction.headDimension
  let count = direction.monitors.count
  let theta = monitorTheta.span
  var sorted = scratch.mutableSpan
  for row in 0..<count {
    let start = direction.monitors[row] * dimension
    var sum = direction.monitorBias[row]
    for d in 0..<dimension { sum += theta[row * dimension + d] * headOutputs[start + d] }
    let probability = 1 / (1 + Float.exp(-sum))
    var place = row
    while place > 0, sorted[place - 1] > probability {
      sorted[place] = sorted[place - 1]
      place -= 1
    }
    sorted[place] = probability
  }
  return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
}
