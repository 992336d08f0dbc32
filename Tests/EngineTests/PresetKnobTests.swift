import Kernels
import Models
import TestSupport
import Testing

@testable import Engine

@Suite struct PresetKnobTests {
  /// A bundle with several traits of the same probes.
  private func bundle(_ id: String, _ traits: [String]) throws -> PresetBundle {
    var manifest = PresetSamples.manifest(id: id)
    manifest.traits = traits.map {
      PresetTrait(id: $0, label: $0, ends: ["none", $0], tensors: $0)
    }
    return try PresetBundle(
      manifest: manifest,
      probes: Dictionary(uniqueKeysWithValues: traits.map { ($0, PresetSamples.probes()) }),
      extras: [:], place: id)
  }

  @Test func isFoundByFullNameByTraitAndByABundleOfOneTrait() throws {
    let bundles = [
      try bundle("org.a.two", ["drums", "piano"]), try bundle("org.b.one", ["flute"]),
    ]
    for (name, found) in [
      ("org.a.two/piano", "org.a.two/piano"), ("piano", "org.a.two/piano"),
      ("flute", "org.b.one/flute"), ("org.b.one", "org.b.one/flute"),
    ] { #expect(try PresetKnob.find(name, in: bundles).name == found) }
  }

  @Test func aTraitOfTwoBundlesHasToBeNamedInFull() throws {
    let bundles = [try bundle("org.a.x", ["drums"]), try bundle("org.b.x", ["drums"])]
    do {
      _ = try PresetKnob.find("drums", in: bundles)
      Issue.record("one of them was taken")
    } catch PresetError.ambiguousTrait(let name, let candidates) {
      #expect(name == "drums" && candidates == ["org.a.x/drums", "org.b.x/drums"])
    }
    #expect(try PresetKnob.find("org.b.x/drums", in: bundles).bundle.manifest.id == "org.b.x")
  }

  @Test func theSameBundleTwiceIsNoQuestion() throws {
    let bundles = [try bundle("org.a.x", ["drums"]), try bundle("org.a.x", ["drums"])]
    #expect(try PresetKnob.find("drums", in: bundles).name == "org.a.x/drums")
  }

  @Test(arguments: ["", "org.a.two", "violin", "org.a.two/violin", "org.a.two/"])
  func whatIsNotThereIsToldWithWhatIs(name: String) throws {
    let bundles = [try bundle("org.a.two", ["drums", "piano"])]
    do {
      _ = try PresetKnob.find(name, in: bundles)
      Issue.record("\(name) was found")
    } catch PresetError.unknownTrait(_, let known) {
      #expect(known == ["org.a.two/drums", "org.a.two/piano"])
    }
    #expect(throws: PresetError.self) { try PresetKnob.find(name, in: []) }
  }

  @Test func becomesADirectionWithItsOwnOptionsOrThoseGiven() throws {
    let config = LanguageModelConfig(
      layers: PresetSamples.layers, heads: PresetSamples.heads,
      hidden: PresetSamples.heads * PresetSamples.dimension, feedForward: 16, codebooks: 4,
      cardinality: 32)
    let model = try randomLanguageModel(config)
    let bundle = try bundle("org.a.x", ["drums"])
    let knob = PresetKnob(bundle: bundle, trait: bundle.manifest.traits[0])
    let pool = ComputePool()
    let own = try #require(knob.direction(model: model, pool: pool))
    #expect(own.options == knob.trait.defaults.options && own.layers == 2 && own.width == 12)
    let options = DirectionOptions(power: 1, monitors: 2)
    let other = try #require(knob.direction(model: model, options: options, pool: pool))
    #expect(other.options == options && other.monitors.count == 2)
    #expect(other.softWeights != own.softWeights)
    var stranger = knob.trait
    stranger.id = "piano"
    #expect(PresetKnob(bundle: bundle, trait: stranger).direction(model: model, pool: pool) == nil)
  }
}
