// What makes a bundle fit to be handed on: a card with its figures, a licence's text, a preview to listen to.

import ArgumentParser
import Engine
import Foundation
import Kernels
import Models
import Reporting

/// Options of the commands that write bundles.
struct ShippingOptions: ParsableArguments {
  @Option(
    name: .customLong("preview-seconds"),
    help: "Puts preview.flac in: so much music without each knob, and as much with it.")
  var previewSeconds: Double?
  @Option(
    name: .customLong("preview-prompt"),
    help:
      "A sound that the preview continues; default: a shipped test song without the trait, or nothing."
  )
  var previewPrompt: String?
  @Flag(help: "Puts README.md in, with the dose, the accuracies and what the preview gave.")
  var card = false
  @Option(name: .customLong("licence-file"), help: "LICENSE to put in.") var licenceFile: String?

  /// The bundle with what was asked for.
  /// - Parameter model: loads the model and its threads; asked only for a preview.
  /// - Throws: `CommandError`, `PresetError`, and what rendering throws.
  func complete(
    _ bundle: PresetBundle, seed: UInt64, model: () throws -> (model: MusicGen, pool: ComputePool)
  ) throws -> PresetBundle {
    var extras = bundle.files.contents
    for name in ["preset.json", "probes.safetensors", PresetFiles.sums] { extras[name] = nil }
    if let licenceFile { extras["LICENSE"] = try Self.contents(licenceFile) }
    var preview: PresetPreview?
    var parts: [PresetPreview.Part] = []
    if let previewSeconds {
      guard (1.0...30).contains(previewSeconds) else {
        throw CommandError.badValue(
          option: "--preview-seconds", value: "\(previewSeconds)", expected: "1 to 30 seconds")
      }
      let loaded = try model()
      let made = PresetPreview(
        model: loaded.model, pool: loaded.pool, seconds: previewSeconds, seed: seed,
        prompt: previewPrompt.map { URL(fileURLWithPath: $0) })
      let (flac, found) = try made.make(bundle)
      extras["preview.flac"] = flac
      (preview, parts) = (made, found)
    }
    if card { extras["README.md"] = Data(PresetCard.text(bundle, preview: preview, parts).utf8) }
    return try PresetBundle(
      manifest: bundle.manifest, probes: bundle.probes, extras: extras, place: bundle.place)
  }

  /// A file that is put in.
  static func contents(_ path: String) throws -> Data {
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)) else {
      throw PresetError.cannotOpen(bundle: path, reason: "no such file, or it may not be read")
    }
    return data
  }
}
