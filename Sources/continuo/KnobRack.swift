// The knobs of a rendering: on their slots, and what their meters showed at every step.

import Audio
import Engine
import Foundation
import Kernels
import Models
import Reporting

/// Knobs on slots, with a record of their readings.
final class KnobRack {
  let steering: Steering
  /// What is worth telling before the music starts.
  let warnings: [String]
  private let request: KnobRequest
  private var firstStep = 0
  private var record: [[SteeringReading]] = []  // (steps, knobs)

  /// Makes the knobs ready for a model.
  /// - Throws: `PresetError.otherDimensions`, `SafetensorsError`.
  init(_ request: KnobRequest, model: MusicGen, name: String, pool: ComputePool) throws {
    self.request = request
    let config = model.config.decoder
    steering = Steering(layers: config.layers, width: config.hidden)
    let identity = try ModelIdentity(name: name, config: config, folder: model.folder)
    var warnings: [String] = []
    for (slot, turn) in request.turns.enumerated() {
      if case .sameDimensions(let warning) = try turn.knob.bundle.compatibility(with: identity) {
        let text = "\(turn.knob.bundle.name): \(warning)"
        if !warnings.contains(text) { warnings.append(text) }
      }
      steering.place(turn.knob.direction(model: model.languageModel, pool: pool), slot: slot)
      steering.settings[slot] = turn.knob.trait.defaults.settings
      if let method = request.method { steering.settings[slot].method = method }
      steering.settings[slot].strength = turn.strength
    }
    self.warnings = warnings
  }

  /// Tells the slots where the new music begins.
  /// - Parameter steps: how many steps of it there will be, for the method that decays.
  func begin(atStep step: Int, steps: Int) {
    firstStep = step
    for slot in request.turns.indices {
      steering.settings[slot].start = step
      steering.settings[slot].decaySteps = max(steps, 1)
    }
  }

  /// Notes what the meters show behind a step.
  func note() {
    record.append(request.turns.indices.compactMap { steering.reading(slot: $0) })
  }

  /// Share of the steps in which each trait was there (absent, for a negative strength).
  var successRates: [(knob: String, rate: Double)] {
    request.turns.enumerated().map { slot, turn in
      let rate = Double(steering.state.slots[slot].successRate ?? 0)
      return (turn.knob.trait.id, turn.strength < 0 ? 1 - rate : rate)
    }
  }

  /// Writes one line per step and knob, if it was asked for.
  func writeMeters() throws {
    guard let url = request.meters else { return }
    var text = "step,seconds,knob,strength,reading,threshold,gain\n"
    for (index, readings) in record.enumerated() {
      for (turn, reading) in zip(request.turns, readings) {
        text += String(
          format: "%d,%.2f,%@,%g,%.6f,%.6f,%.6f\n", firstStep + index, Double(index) / 50,
          turn.knob.trait.id as NSString, turn.strength, reading.reading, reading.threshold,
          reading.gain)
      }
    }
    try AtomicFile.write(Data(text.utf8), to: url)
  }

  /// The meters as curves under a picture of the sound.
  /// - Parameter start: where the new music begins, in seconds.
  func panels(start: Double) -> [SoundPicture.Panel] {
    request.turns.enumerated().map { slot, turn in
      func points(_ value: (SteeringReading) -> Float) -> [(seconds: Double, value: Double)] {
        record.enumerated().compactMap { index, readings in
          let number = Double(value(readings[slot]))
          return number.isFinite ? (start + Double(index) / 50, number) : nil
        }
      }
      // Gain is 0 between interventions: the curve keeps the last one.
      var gain = 0.0
      let period = max(steering.settings[slot].period, 1)
      let isSparse = steering.settings[slot].method == .smitin
      let gains = record.enumerated().map { index, readings -> (seconds: Double, value: Double) in
        if !isSparse || index % period == 0 { gain = Double(readings[slot].gain) }
        return (start + Double(index) / 50, min(gain, 1))
      }
      return SoundPicture.Panel(
        "\(turn.knob.trait.label) \(String(format: "%g", turn.strength))", range: 0...1,
        curves: [
          SoundPicture.Curve("reading", points: points(\.reading)),
          SoundPicture.Curve("threshold", style: .dashed, points: points(\.threshold)),
          SoundPicture.Curve("gain", style: .steps, points: gains),
        ])
    }
  }
}
