// README.md of a bundle: what its knobs are, how well they are known, and what its preview gave.

import Engine
import Foundation
import Models
import Reporting

/// The card of a bundle.
enum PresetCard {
  /// Markdown: a table of the knobs, where they come from, and a table of the preview when there is one.
  static func text(_ bundle: PresetBundle, preview: PresetPreview?, _ parts: [PresetPreview.Part])
    -> String
  {
    let manifest = bundle.manifest
    func percent(_ value: Float?) -> String {
      value.map { String(format: "%.1f %%", $0 * 100) } ?? "–"
    }
    var lines = [
      "# \(printable(manifest.name)), for the model \(printable(manifest.model.name))", "",
      printable(manifest.description, limit: 20_000), "",
      "| knob | ends | dose at strength 1 | best head, held out | monitors together | segments of songs |",
      "|---|---|---|---|---|---|",
    ].filter { $0 != "" || !manifest.description.isEmpty }
    if manifest.description.isEmpty { lines.insert("", at: 1) }
    for trait in manifest.traits {
      let d = trait.defaults
      lines.append(
        "| \(trait.id) | \(trait.ends.map { printable($0) }.joined(separator: " … ")) "
          + "| \(d.method.rawValue), alpha \(String(format: "%g", d.alpha)), every \(d.period == 1 ? "step" : "\(d.period) steps")\(d.direction == .meanDifference ? ", mean difference" : "") "
          + "| \(percent(trait.accuracy?.bestTest)) | \(percent(trait.accuracy?.monitors)) "
          + "| \(trait.training?.segments.map { "\($0)" } ?? "–") of \(trait.training?.tracks.map { "\($0)" } ?? "–") |"
      )
    }
    let sources = Set(
      manifest.traits.compactMap { trait in
        trait.training?.data.map { data in
          printable(data) + (trait.training?.dataLicence.map { " (\(printable($0)))" } ?? "")
        }
      })
    lines += ["", "Taught by linear probes on single heads, songs split, never segments."]
    if !sources.isEmpty { lines.append("Material: \(sources.sorted().joined(separator: "; ")).") }
    if let preview, !parts.isEmpty {
      lines += [
        "",
        String(
          format: """
            `preview.flac`: for each knob the same prompt goes on for %g s without it, then with it at strength 1, \
            by the same random numbers; one prompt, so an impression and no measurement. Steps in which the probes \
            find the trait:
            """, preview.seconds), "", "| knob | without | with |", "|---|---|---|",
      ]
      lines += parts.map {
        "| \($0.trait) | \(percent($0.success.without)) | \(percent($0.success.with)) |"
      }
    }
    lines += [
      "", "Licence: \(manifest.licence.isEmpty ? "none named" : printable(manifest.licence)).",
    ]
    return lines.joined(separator: "\n") + "\n"
  }
}
