// What a checkpoint is, in figures that a person or a program can read.

package import Foundation

/// A model's folder, described.
package struct ModelDescription: Sendable, Codable {
  package var folder: String
  package var family: String
  package var layers: Int
  package var heads: Int
  package var headDimension: Int
  package var feedForward: Int
  package var codebooks: Int
  package var cardinality: Int
  package var audioChannels: Int
  package var sampleRate: Int
  package var stepsPerSecond: Int
  /// Numbers in the decoder, the text encoder with its projection, and the codec.
  package var decoderParameters: Int
  package var textParameters: Int
  package var codecParameters: Int
  /// Bytes of all tensors, as stored.
  package var bytes: Int
  /// Types that occur, for example "F32" or "BF16 F32".
  package var types: String
  /// SHA-256 over the decoder's tensors; presets are made for one.
  package var fingerprint: String
  /// The licence that the model card names, or "not stated".
  package var licence: String

  /// Describes a loaded model. Reads all of the decoder once, for the fingerprint.
  package init(_ model: MusicGen) {
    let decoder = model.config.decoder
    folder = model.folder.path
    family = "musicgen"
    layers = decoder.layers
    heads = decoder.heads
    headDimension = decoder.headDimension
    feedForward = decoder.feedForward
    codebooks = decoder.codebooks
    cardinality = decoder.cardinality
    audioChannels = decoder.audioChannels
    sampleRate = model.config.sampleRate
    stepsPerSecond = model.stepsPerSecond
    let tensors = model.tensors.tensors.values
    func count(_ prefixes: [String]) -> Int {
      tensors.filter { tensor in prefixes.contains { tensor.name.hasPrefix($0) } }
        .reduce(0) { $0 + $1.count }
    }
    decoderParameters = count(["decoder."])
    textParameters = count(["text_encoder.", "enc_to_dec_proj."])
    codecParameters = count(["audio_encoder."])
    bytes = tensors.reduce(0) { $0 + $1.count * $1.type.size }
    types = Set(tensors.map(\.type.rawValue)).sorted().joined(separator: " ")
    fingerprint = ModelFingerprint.compute(model.tensors)
    licence = Self.licence(folder: model.folder)
  }

  /// The `license:` line of the front matter of the folder's README.md (the model card).
  package static func licence(folder: URL) -> String {
    let card = folder.appendingPathComponent("README.md")
    guard let handle = try? FileHandle(forReadingFrom: card),
      let head = try? handle.read(upToCount: 1 << 16)
    else { return "not stated" }
    let lines = String(decoding: head, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    guard lines.first == "---" else { return "not stated" }
    for line in lines.dropFirst() {
      if line == "---" { break }
      if line.hasPrefix("license:") {
        let value = line.dropFirst("license:".count).trimmingCharacters(in: .whitespaces)
        return value.isEmpty ? "not stated" : value
      }
    }
    return "not stated"
  }
}
