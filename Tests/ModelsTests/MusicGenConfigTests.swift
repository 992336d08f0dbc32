import Foundation
import Models
import TestSupport
import Testing

@Suite("MusicGen configuration")
struct MusicGenConfigTests {
  private func message(_ change: (inout [String: Any]) -> Void) throws -> String {
    let source = fixture("MusicGen/mono/model/config.json")
    var json = try JSONSerialization.jsonObject(with: Data(contentsOf: source)) as! [String: Any]
    change(&json)
    let folder = try TemporaryFolder()
    try JSONSerialization.data(withJSONObject: json).write(to: folder.file("config.json"))
    do {
      _ = try MusicGenConfig(folder: folder.url)
      return "read"
    } catch { return "\(error)" }
  }

  private func decoder(_ field: String, _ value: Any) throws -> String {
    try message { json in
      var part = json["decoder"] as! [String: Any]
      part[field] = value
      json["decoder"] = part
    }
  }

  @Test("shapes are read under the checkpoint's names")
  func shapes() throws {
    let config = try MusicGenConfig(folder: fixture("MusicGen/stereo/model"))
    #expect(config.decoder.layers == 1)
    #expect(config.decoder.heads == 2)
    #expect(config.decoder.headDimension == 8)
    #expect(config.decoder.codebooks == 8)
    #expect(config.decoder.audioChannels == 2)
    #expect(config.text.width == 16)
    #expect(config.sampleRate == 32000)
  }

  @Test("what makes no sense is refused with the field and what it should be")
  func refusals() throws {
    #expect(try message { $0["model_type"] = "llama" }.contains("“llama” is not supported"))
    #expect(try message { $0["decoder"] = nil }.contains("decoder is missing"))
    #expect(try decoder("num_attention_heads", 3).contains("multiple of num_attention_heads (3)"))
    #expect(try decoder("num_hidden_layers", -1).contains("decoder.num_hidden_layers is -1"))
    #expect(try decoder("vocab_size", "many").contains("decoder.vocab_size is many"))
    #expect(try decoder("activation_function", "relu").contains("must be gelu"))
    #expect(try decoder("audio_channels", 3).contains("from 1 to 2"))
    let none = try TemporaryFolder()
    #expect {
      try MusicGenConfig(folder: none.url)
    } throws: { "\($0)".contains("no readable config.json") }
  }
}
