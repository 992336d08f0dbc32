// Knobs on the command line: `--knob drums=1 --bundle my-drums --method smitin --meters m.csv`.

import ArgumentParser
import Engine
import Foundation
import Models
import Reporting

extension SteeringMethod: ExpressibleByArgument {}
extension DirectionKind: ExpressibleByArgument {}

struct KnobOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Turn a knob: a trait, or BUNDLE-ID/TRAIT, and −2 to 2; 1 is the bundle's dose. May be repeated, at most eight times.",
      valueName: "id=strength"))
  var knob: [String] = []
  @Option(help: "A bundle to take knobs from: a file, a folder, ID or ID@VERSION; repeated.")
  var bundle: [String] = []
  @Option(help: "How knobs push: smitin, iti, iti-decay or none; default: as the bundle says.")
  var method: SteeringMethod?
  @Option(help: "Write reading, threshold and gain of every knob and step (.csv).")
  var meters: String?

  /// What was asked for; nil without knobs.
  /// - Throws: `CommandError`, `PresetError`.
  func request() throws -> KnobRequest? {
    guard !knob.isEmpty else {
      if meters != nil {
        throw CommandError.clash(
          what: "--meters without --knob", remedy: "turn a knob; strength 0 only reads it")
      }
      return nil
    }
    guard knob.count <= Steering.slotCount else {
      throw CommandError.badValue(
        option: "--knob", value: "\(knob.count) times", expected: "at most \(Steering.slotCount)")
    }
    let bundles: [PresetBundle]
    if bundle.isEmpty {
      bundles = PresetLibrary().list().filter { $0.shadowedBy == nil }
        .compactMap { try? $0.bundle.get() }
    } else {
      let library = PresetLibrary()
      bundles = try bundle.map { try library.find($0) }
    }
    let turns = try knob.map { text -> KnobRequest.Turn in
      guard let equals = text.lastIndex(of: "="),
        let strength = Float(text[text.index(after: equals)...]), (-2...2).contains(strength)
      else {
        throw CommandError.badValue(
          option: "--knob", value: text, expected: "ID=STRENGTH with a strength from -2 to 2")
      }
      return KnobRequest.Turn(
        knob: try PresetKnob.find(String(text[..<equals]), in: bundles), strength: strength)
    }
    return KnobRequest(
      turns: turns, method: method, meters: meters.map { URL(fileURLWithPath: $0) })
  }
}

/// Knobs and how far they are turned.
struct KnobRequest {
  struct Turn {
    var knob: PresetKnob
    var strength: Float
  }
  var turns: [Turn]
  /// nil for each bundle's own.
  var method: SteeringMethod?
  var meters: URL?
}
