// One cell of the steering tables: what is generated, and what was measured on it.

import Foundation
import Models

/// What a cell generates. Equal specifications give equal music.
struct CellPlan: Codable, Equatable {
  enum Start: String, Codable {
    /// Prompts in which no target sounds.
    case without
    /// Prompts in which the targets sound.
    case with
    /// No prompt: from text alone.
    case nothing
  }

  /// What the model is told; with guidance. “X” stands for the targets' names.
  enum Words: String, Codable {
    case none
    /// “add X”: the paper's words, none of which but X stands in a caption of training here.
    case add
    /// “X”: as a caption it says that nothing else sounds.
    case name
    /// “no X”
    case no
    /// What sounds in the prompt besides X, style, tempo and key: a caption as those of training.
    case own
    /// The same, and X.
    case ownAndName = "own+name"
  }

  /// Which table it belongs to: "continuation", "removal", "text", …
  var suite: String
  /// The row's name: "smitin α 5 s 5".
  var method: String
  /// What is judged, and steered unless `steers` is false.
  var targets: [String]
  var steering: SteeringMethod = .none
  var alpha: Float = 5
  var period = 5
  /// −1 removes.
  var strength: Float = 1
  var rule: UpdateRule = .reset
  var direction: DirectionKind = .probe
  /// Heads with weight 1 under iti, and under smitin with hard weights.
  var hardHeads = 48
  /// Hard weights under smitin.
  var usesHardWeights = false
  var text: Words = .none
  var start: Start = .without
  var clips: Int
  var seconds: Double
  var seed: UInt64 = 1
  /// Songs that tune the dose are not the songs that examine it.
  var isValidation = false
  /// Pairs of segments that taught the probes; 0 for all there are, nil for the bundle's own probes.
  var pairs: Int?
  /// Nothing is made: held-out songs in which the targets sound, or do not, are judged and read instead.
  var isOfSongs: Bool?
  /// The fingerprint of the model and its codec, so that other weights do not find these cells.
  var model: String?
  /// The same for the targets' probes.
  var probes: [String]?

  /// A file name of its own. How many clips there are is no part of it: the first ones are the same of any number. Of
  /// songs it is, since their windows are spread over all there are.
  var key: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var plan = self
    if isOfSongs != true { plan.clips = 0 }
    let data = (try? encoder.encode(plan)) ?? Data()
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in data { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    let name = (["\(suite)", method] + targets).joined(separator: "-").lowercased()
      .map { $0.isASCII && ($0.isLetter || $0.isNumber) ? String($0) : "-" }.joined()
    return "\(name)-\(String(hash, radix: 16))"
  }
}

/// What was measured on one clip.
struct ClipFigures: Codable {
  /// Share of the steps in which the probes find each target (removal is not turned round).
  var success: [Float]
  /// Mean reading of each target.
  var reading: [Float]
  /// Share of the seconds in which the outside judge hears each target.
  var presence: [Float]
  /// Mean logit of the judge for each target.
  var logit: [Float]
  /// Cosine of the judge's mean embeddings of prompt and new music; NaN without a prompt.
  var similarity: Float
  /// Mean gain of the first target while steering.
  var gain: Float
}

/// What was measured on a cell.
struct CellFigures: Codable {
  var plan: CellPlan
  var clips: [ClipFigures]
  /// The judge's embeddings of the new music, per second (seconds of all clips, E), kept beside.
  var embeddings: [Float] = []
  /// Mean gain per half minute, for drift.
  var gainOverTime: [Float]?

  private enum CodingKeys: String, CodingKey { case plan, clips, gainOverTime }

  func mean(_ value: (ClipFigures) -> Float) -> Double {
    let finite = clips.map { Double(value($0)) }.filter(\.isFinite)
    return finite.isEmpty ? .nan : finite.reduce(0, +) / Double(finite.count)
  }

  /// Success rate by the probes; for removal 1 minus the rate.
  var success: Double {
    let rate = mean { $0.success.reduce(0, +) / Float(max($0.success.count, 1)) }
    return plan.strength < 0 ? 1 - rate : rate
  }
  /// Presence by the outside judge.
  var presence: Double { mean { $0.presence.reduce(0, +) / Float(max($0.presence.count, 1)) } }
  /// Standard error of `presence` over the clips; NaN for fewer than two.
  var presenceError: Double {
    let values = clips.map { Double($0.presence.reduce(0, +) / Float(max($0.presence.count, 1))) }
      .filter(\.isFinite)
    guard values.count > 1 else { return .nan }
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1) / Double(values.count)).squareRoot()
  }
  var similarity: Double { mean(\.similarity) }
  var gain: Double { mean(\.gain) }
  /// Share of the clips in which every target's rate is above one half.
  var together: Double { mean { $0.success.allSatisfy { $0 > 0.5 } ? 1 : 0 } }
  /// The same by the outside judge.
  var heardTogether: Double { mean { $0.presence.allSatisfy { $0 > 0.5 } ? 1 : 0 } }
}
