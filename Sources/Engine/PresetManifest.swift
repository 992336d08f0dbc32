// preset.json: who made a bundle, for which model, and what its knobs are.
//
// In: at most 256 KiB of UTF-8 JSON from a stranger. Out: values in their ranges and texts without
// control characters. Unknown keys are ignored, so that later versions can add some.

package import Models

/// The contents of `preset.json`.
package struct PresetManifest: Codable, Sendable, Equatable {
  package static let format = "continuo-preset"
  /// The newest version of the format that this program reads.
  package static let formatVersion = 1

  package var format: String = Self.format
  package var formatVersion: Int = Self.formatVersion
  /// Reverse domain: "org.example.drums".
  package var id: String
  package var name: String
  /// "1.2.0"
  package var version: String
  package var authors: [String] = []
  /// An SPDX identifier; empty when the author named none.
  package var licence: String = ""
  package var tags: [String] = []
  package var description: String = ""
  package var model: ModelIdentity
  package var traits: [PresetTrait]

  package init(
    id: String, name: String, version: String, model: ModelIdentity, traits: [PresetTrait]
  ) {
    self.id = id
    self.name = name
    self.version = version
    self.model = model
    self.traits = traits
  }

  private enum CodingKeys: String, CodingKey {
    case format, id, name, version, authors, licence, tags, description, model, traits
    case formatVersion = "format_version"
  }

  package init(from decoder: any Decoder) throws {
    let table = try decoder.container(keyedBy: CodingKeys.self)
    format = try table.decode(String.self, forKey: .format)
    formatVersion = try table.decode(Int.self, forKey: .formatVersion)
    id = try table.decode(String.self, forKey: .id)
    name = try table.decode(String.self, forKey: .name)
    version = try table.decode(String.self, forKey: .version)
    authors = try table.decodeIfPresent([String].self, forKey: .authors) ?? []
    licence = try table.decodeIfPresent(String.self, forKey: .licence) ?? ""
    tags = try table.decodeIfPresent([String].self, forKey: .tags) ?? []
    description = try table.decodeIfPresent(String.self, forKey: .description) ?? ""
    model = try table.decode(ModelIdentity.self, forKey: .model)
    traits = try table.decode([PresetTrait].self, forKey: .traits)
  }
}

/// Which model a bundle is for, or which one is running.
package struct ModelIdentity: Codable, Sendable, Equatable {
  /// "musicgen".
  package var family: String
  package var name: String
  /// L.
  package var layers: Int
  /// H.
  package var heads: Int
  /// D.
  package var headDimension: Int
  /// `ModelFingerprint`: 64 hexadecimal digits.
  package var fingerprint: String

  package init(
    family: String, name: String, layers: Int, heads: Int, headDimension: Int, fingerprint: String
  ) {
    self.family = family
    self.name = name
    self.layers = layers
    self.heads = heads
    self.headDimension = headDimension
    self.fingerprint = fingerprint
  }

  private enum CodingKeys: String, CodingKey {
    case family, name, layers, heads, fingerprint
    case headDimension = "head_dimension"
  }

  /// Name and dimensions, for messages.
  package var summary: String { "\(name) (\(layers) layers × \(heads) heads × \(headDimension))" }
}

/// One knob.
package struct PresetTrait: Codable, Sendable, Equatable {
  /// "drums"
  package var id: String
  package var label: String
  /// What the two ends of the knob mean: ["no drums", "drums"].
  package var ends: [String] = []
  /// Prefix of its tensors in probes.safetensors.
  package var tensors: String
  package var defaults = Defaults()
  package var training: Training?
  package var accuracy: Accuracy?
  /// Suggested MIDI control.
  package var control: Control?

  package init(id: String, label: String, ends: [String], tensors: String) {
    self.id = id
    self.label = label
    self.ends = ends
    self.tensors = tensors
  }

  package init(from decoder: any Decoder) throws {
    let table = try decoder.container(keyedBy: CodingKeys.self)
    id = try table.decode(String.self, forKey: .id)
    label = try table.decode(String.self, forKey: .label)
    ends = try table.decodeIfPresent([String].self, forKey: .ends) ?? []
    tensors = try table.decode(String.self, forKey: .tensors)
    defaults = try table.decodeIfPresent(Defaults.self, forKey: .defaults) ?? Defaults()
    training = try table.decodeIfPresent(Training.self, forKey: .training)
    accuracy = try table.decodeIfPresent(Accuracy.self, forKey: .accuracy)
    control = try table.decodeIfPresent(Control.self, forKey: .control)
  }

  /// How the knob is set when it is put on a slot; absent values are the paper's.
  package struct Defaults: Codable, Sendable, Equatable {
    /// The dose at strength 1, 0 … 1000.
    package var alpha: Float = 5
    /// Steps between interventions, 1 … 1500.
    package var period: Int = 5
    /// Exponent of the soft weights, 0 … 20.
    package var power: Float = 3
    /// Heads that are read, 1 … 1024.
    package var monitors: Int = 16
    /// Heads pushed by the original intervention, 1 … 65536.
    package var hardHeads: Int = 48
    package var updateRule: UpdateRule = .reset
    /// Seconds that a change of strength by 1 takes, 0 … 60.
    package var ramp: Float = 0
    package var method: SteeringMethod = .smitin
    package var direction: DirectionKind = .probe

    package init() {}

    private enum CodingKeys: String, CodingKey {
      case alpha, period, power, monitors, ramp, method, direction
      case hardHeads = "hard_heads"
      case updateRule = "update_rule"
    }

    package init(from decoder: any Decoder) throws {
      let table = try decoder.container(keyedBy: CodingKeys.self)
      alpha = try table.decodeIfPresent(Float.self, forKey: .alpha) ?? alpha
      period = try table.decodeIfPresent(Int.self, forKey: .period) ?? period
      power = try table.decodeIfPresent(Float.self, forKey: .power) ?? power
      monitors = try table.decodeIfPresent(Int.self, forKey: .monitors) ?? monitors
      hardHeads = try table.decodeIfPresent(Int.self, forKey: .hardHeads) ?? hardHeads
      updateRule = try table.decodeIfPresent(UpdateRule.self, forKey: .updateRule) ?? updateRule
      ramp = try table.decodeIfPresent(Float.self, forKey: .ramp) ?? ramp
      method = try table.decodeIfPresent(SteeringMethod.self, forKey: .method) ?? method
      direction = try table.decodeIfPresent(DirectionKind.self, forKey: .direction) ?? direction
    }

    /// The settings of a slot that holds this knob, off.
    package var settings: SteeringSettings {
      var settings = SteeringSettings()
      settings.alpha = alpha
      settings.period = period
      settings.updateRule = updateRule
      settings.ramp = ramp * 50  // 50 steps per second
      settings.method = method
      return settings
    }

    /// How its probes become a direction.
    package var options: DirectionOptions {
      DirectionOptions(kind: direction, power: power, hardHeads: hardHeads, monitors: monitors)
    }
  }

  /// Where the probes came from.
  package struct Training: Codable, Sendable, Equatable {
    package var segments: Int?
    package var tracks: Int?
    /// Length of a segment.
    package var seconds: Float?
    package var data: String?
    package var dataLicence: String?
    package var seed: UInt64?

    package init() {}

    private enum CodingKeys: String, CodingKey {
      case segments, tracks, seconds, data, seed
      case dataLicence = "data_licence"
    }
  }

  /// What the author measured, 0 … 1.
  package struct Accuracy: Codable, Sendable, Equatable {
    package var bestTrain: Float?
    package var bestTest: Float?
    /// Held-out accuracy of the monitors' majority.
    package var monitors: Float?

    package init() {}

    private enum CodingKeys: String, CodingKey {
      case monitors
      case bestTrain = "best_train"
      case bestTest = "best_test"
    }
  }

  /// A suggested MIDI control change.
  package struct Control: Codable, Sendable, Equatable {
    /// 0 … 119.
    package var controller: Int
    /// 1 … 16; absent for any.
    package var channel: Int?

    package init(controller: Int, channel: Int? = nil) {
      self.controller = controller
      self.channel = channel
    }
  }
}
