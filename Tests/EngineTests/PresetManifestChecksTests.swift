import Engine
import Foundation
import Models
import Testing

@Suite("Checks of preset.json")
struct PresetManifestChecksTests {
  private func refusal(_ old: String, _ new: String) -> String {
    do {
      _ = try PresetSamples.bundle(replacing: old, with: new)
      return ""
    } catch { return "\(error)" }
  }

  @Test("every value out of its range or form is refused with its name")
  func values() {
    #expect(refusal("continuo-preset", "other").contains("format"))
    #expect(refusal("\"format_version\" : 1", "\"format_version\" : 2").contains("version 2"))
    #expect(refusal("org.example.drums", "drums").contains("reverse domain"))
    #expect(refusal("org.example.drums", "org..drums").contains("reverse domain"))
    #expect(refusal("org.example.drums", "org/../../x.y").contains("reverse domain"))
    #expect(refusal("\"1.0.0\"", "\"1.0\"").contains("1.2.3"))
    #expect(refusal("\"1.0.0\"", "\"1.0.0/../..\"").contains("1.2.3"))
    #expect(refusal("\"alpha\" : 5", "\"alpha\" : 1e9").contains("alpha"))
    #expect(refusal("\"alpha\" : 5", "\"alpha\" : -1").contains("alpha"))
    #expect(!refusal("\"alpha\" : 5", "\"alpha\" : 1e999").isEmpty)
    #expect(!refusal("\"alpha\" : 5", "\"alpha\" : NaN").isEmpty)
    #expect(refusal("\"alpha\" : 5", "\"alpha\" : \"5\"").contains("alpha"))
    #expect(refusal("\"period\" : 5", "\"period\" : 0").contains("period"))
    #expect(refusal("\"monitors\" : 16", "\"monitors\" : 0").contains("monitors"))
    #expect(
      refusal("\"update_rule\" : \"reset\"", "\"update_rule\" : \"x\"").contains("update_rule"))
    #expect(refusal("\"heads\" : 3", "\"heads\" : 100000").contains("impossible dimensions"))
    #expect(refusal("\"fingerprint\" : \"a", "\"fingerprint\" : \"A").contains("fingerprint"))
    #expect(refusal("\"tensors\" : \"drums\"", "\"tensors\" : \"../x\"").contains("tensor prefix"))
    #expect(refusal("\"traits\" :", "\"other\" :").contains("lacks traits"))
    #expect(refusal("{", "").contains("not valid JSON"))
  }

  @Test("control characters and texts that turn the line around are refused in names")
  func texts() {
    #expect(refusal("Ann Example", "Ann\\u001b[31m").contains("control characters"))
    #expect(refusal("Ann Example", "Ann\\u202eexe").contains("control characters"))
    #expect(
      refusal("\"label\" : \"Drums\"", "\"label\" : \"a\\nb\"").contains("control characters"))
    let long = String(repeating: "x", count: 300)
    #expect(refusal("Ann Example", long).contains("longer than"))
  }

  @Test("invalid UTF-8 and nests without end are refused")
  func bytes() throws {
    for json in [
      Data([0x7B, 0xFF, 0x7D]), Data(repeating: 0x5B, count: 200_000), Data(), Data("[]".utf8),
    ] {
      let files = try PresetSamples.files { $0["preset.json"] = json }
      #expect(throws: PresetError.self) { try PresetBundle(files: files, place: "evil") }
    }
  }

  @Test("unknown keys are ignored, so that later versions can add some")
  func unknownKeys() {
    #expect(refusal("\"tags\" :", "\"colour\" : {\"a\":[1]}, \"tags\" :").isEmpty)
  }

  @Test("versions are ordered by number, not by letter")
  func versions() throws {
    let nine = try #require(PresetVersion("1.9.0"))
    let ten = try #require(PresetVersion("1.10.0"))
    #expect(nine < ten)
    for text in ["1.0", "01.0.0", "1.0.x", "", "1.0.0.0", "1234567.0.0", "-1.0.0"] {
      #expect(PresetVersion(text) == nil)
    }
  }
}
