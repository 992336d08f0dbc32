import Foundation
import Kernels
import Models
import TestSupport
import Testing

@Suite("MusicGen")
struct MusicGenTests {
  /// A copy of the mono fixture with another configuration.
  private func load(_ change: (inout [String: Any]) -> Void) throws -> MusicGen {
    let source = fixture("MusicGen/mono/model")
    let folder = try TemporaryFolder()
    let config = try Data(contentsOf: source.appendingPathComponent("config.json"))
    var json = try JSONSerialization.jsonObject(with: config) as! [String: Any]
    change(&json)
    try JSONSerialization.data(withJSONObject: json).write(to: folder.file("config.json"))
    try FileManager.default.copyItem(
      at: source.appendingPathComponent("model.safetensors"),
      to: folder.file("model.safetensors"))
    return try MusicGen(folder: folder.url)
  }

  @Test("a configuration that contradicts the tensors is an error that names one of them")
  func contradiction() throws {
    func change(_ part: String, _ field: String, _ value: Int) throws -> String {
      do {
        _ = try load { json in
          var object = json[part] as! [String: Any]
          object[field] = value
          json[part] = object
        }
        return "loaded"
      } catch { return "\(error)" }
    }
    #expect(try change("decoder", "ffn_dim", 24) == "loaded")
    #expect(try change("decoder", "ffn_dim", 32).contains("fc1.weight has shape [24, 16]"))
    #expect(try change("decoder", "num_hidden_layers", 3).contains("layers.2."))
    #expect(try change("decoder", "num_hidden_layers", 1).contains("only 1 layers"))
    #expect(try change("text_encoder", "d_ff", 64).contains("DenseReluDense"))
    #expect(try change("audio_encoder", "num_filters", 4).contains("audio_encoder"))
    #expect(try change("decoder", "num_codebooks", 3).contains("only 3 codebooks"))
  }

  @Test("stereo codebooks alternate between left and right")
  func stereo() throws {
    let model = try MusicGen(folder: fixture("MusicGen/stereo/model"))
    let pool = ComputePool()
    var random = TestRandom(seed: 2)
    let left = random.normal(640 * 5, scale: 0.2)
    let right = random.normal(640 * 5, scale: 0.2)
    let codes = try model.encode([left, right], pool: pool)
    #expect(codes.count == 5 * 8)
    let mono = try [left, right].map { try model.codec.encode($0, codebooks: 4, pool: pool) }
    for frame in 0..<5 {
      for book in 0..<4 {
        #expect(codes[frame * 8 + 2 * book] == mono[0][frame * 4 + book])
        #expect(codes[frame * 8 + 2 * book + 1] == mono[1][frame * 4 + book])
      }
    }
    let audio = try model.decode(codes, pool: pool)
    #expect(audio[0] == (try model.codec.decode(mono[0], codebooks: 4, pool: pool)))
    #expect(audio[1] == (try model.codec.decode(mono[1], codebooks: 4, pool: pool)))
  }
}
