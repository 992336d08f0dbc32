import Foundation
import TestSupport
import Testing

/// Models that are broken in one way each, rendered from the command line: one line that names what is
/// wrong, the status of bad data, and no file left behind.
@Suite("Rendering with broken models")
struct RenderingTests {
  let folder: TemporaryFolder
  let model: URL

  init() throws {
    folder = try TemporaryFolder()
    model = folder.file("model")
    try FileManager.default.copyItem(at: fixture("MusicGen/mono/model"), to: model)
  }

  private var weights: URL { model.appendingPathComponent("model.safetensors") }

  /// Rewrites the weights: their header (JSON) and their data.
  private func rewrite(_ change: (inout [String: Any], inout Data) throws -> Void) throws {
    let whole = try Data(contentsOf: weights)
    let length = whole.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    var data = Data(whole.dropFirst(8 + length))
    var header =
      try JSONSerialization.jsonObject(with: whole.dropFirst(8).prefix(length)) as? [String: Any]
      ?? [:]
    try change(&header, &data)
    let text = try JSONSerialization.data(withJSONObject: header)
    var file = Data((0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) })
    file.append(text)
    file.append(data)
    try file.write(to: weights)
  }

  /// Changes a member of the configuration.
  private func configure(_ part: String?, _ field: String, _ value: Any) throws {
    let url = model.appendingPathComponent("config.json")
    var all =
      try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any] ?? [:]
    if let part {
      var inner = all[part] as? [String: Any] ?? [:]
      inner[field] = value
      all[part] = inner
    } else {
      all[field] = value
    }
    try JSONSerialization.data(withJSONObject: all).write(to: url)
  }

  /// Renders and expects status 65, one line with `words`, and nothing but the model in the folder.
  private func refused(_ words: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let result = try runProgram(
      "continuo", ["render", "--model", model.path, "--seconds", "0.1", "--out", "o.wav"],
      in: folder.url)
    #expect(result.status == 65, "\(result.errors)", sourceLocation: sourceLocation)
    #expect(!result.crashed && result.output.isEmpty, sourceLocation: sourceLocation)
    #expect(
      result.errors.hasPrefix("continuo: error: ") && result.errors.contains(words),
      "\(result.errors)", sourceLocation: sourceLocation)
    #expect(
      result.errors.split(separator: "\n").count == 1, "\(result.errors)",
      sourceLocation: sourceLocation)
    #expect(try folder.names() == ["model"], sourceLocation: sourceLocation)
  }

  private static let matrix = "decoder.model.decoder.layers.0.fc1.weight"

  @Test("weights that end early, or whose header is longer than the file")
  func cut() throws {
    let whole = try Data(contentsOf: weights)
    try whole.prefix(whole.count / 2).write(to: weights)
    try refused("model.safetensors")
    try (Data([255, 255, 255, 255, 0, 0, 0, 0]) + whole.dropFirst(8)).write(to: weights)
    try refused("header claims")
  }

  @Test("a tensor that is missing, of another shape, outside the file, or over another one")
  func tensors() throws {
    let whole = try Data(contentsOf: weights)
    try rewrite { header, _ in
      header["other"] = header.removeValue(forKey: Self.matrix)
    }
    try refused(Self.matrix)
    try whole.write(to: weights)
    try rewrite { header, _ in
      var entry = header[Self.matrix] as? [String: Any] ?? [:]
      entry["shape"] = (entry["shape"] as? [Int]).map { Array($0.reversed()) }
      header[Self.matrix] = entry
    }
    try refused(Self.matrix)
    for shift in [1 << 40, -4] {
      try whole.write(to: weights)
      try rewrite { header, _ in
        var entry = header[Self.matrix] as? [String: Any] ?? [:]
        entry["data_offsets"] = (entry["data_offsets"] as? [Int])?.map { $0 + shift }
        header[Self.matrix] = entry
      }
      try refused("model.safetensors")
    }
  }

  @Test("weights that are no numbers")
  func notNumbers() throws {
    try rewrite { header, data in
      let entry = header[Self.matrix] as? [String: Any]
      let offset = (entry?["data_offsets"] as? [Int])?[0] ?? 0
      for (index, byte) in [UInt8](arrayLiteral: 0, 0, 0xC0, 0x7F).enumerated() {
        data[data.startIndex + offset + index] = byte
      }
    }
    try refused(Self.matrix)
  }

  @Test("a configuration of another kind of model, or one that contradicts the weights")
  func configuration() throws {
    try configure("decoder", "num_hidden_layers", 3)
    try refused("layers.")
    try configure("decoder", "num_hidden_layers", 2)
    try configure("decoder", "ffn_dim", 48)
    try refused("fc1")
    try configure(nil, "model_type", "llama")
    try refused("llama")
  }
}
