// A knob of a bundle, found by name and made ready for a model.

package import Kernels
package import Models

/// One trait of a loaded bundle.
package struct PresetKnob: Sendable {
  package let bundle: PresetBundle
  package let trait: PresetTrait

  /// "bundle-id/trait"
  package var name: String { "\(bundle.manifest.id)/\(trait.id)" }

  package init(bundle: PresetBundle, trait: PresetTrait) {
    self.bundle = bundle
    self.trait = trait
  }

  /// Finds a knob among bundles: by "bundle-id/trait", by a trait's id, or by the id of a bundle with
  /// one trait.
  /// - Throws: `PresetError.unknownTrait`, `.ambiguousTrait`.
  package static func find(_ name: String, in bundles: [PresetBundle]) throws -> PresetKnob {
    let all = bundles.flatMap { bundle in
      bundle.manifest.traits.map { PresetKnob(bundle: bundle, trait: $0) }
    }
    let matching = all.filter { knob in
      knob.name == name || knob.trait.id == name
        || (knob.bundle.manifest.id == name && knob.bundle.manifest.traits.count == 1)
    }
    if let exact = matching.first(where: { $0.name == name }) { return exact }
    guard let first = matching.first else {
      throw PresetError.unknownTrait(name: name, known: all.map(\.name))
    }
    guard matching.allSatisfy({ $0.name == first.name }) else {
      throw PresetError.ambiguousTrait(name: name, candidates: matching.map(\.name))
    }
    return first
  }

  /// The trait as a direction of `model`, whose dimensions fit (see `PresetBundle.compatibility`).
  ///
  /// Costs one pass over the output projections; not for a real-time thread.
  /// - Parameter options: nil for the trait's own.
  package func direction(
    model: LanguageModel, options: DirectionOptions? = nil, pool: ComputePool
  ) -> SteeringDirection? {
    guard let probes = bundle.probes[trait.id] else { return nil }
    return SteeringDirection(
      probes: probes, options: options ?? trait.defaults.options,
      projections: model.layers.map(\.attentionOutput), pool: pool)
  }
}
