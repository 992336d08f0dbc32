import Foundation
import TestSupport
import Testing

@Suite("continuo doctor")
struct DoctorCommandTests {
  @Test("names what is missing with its remedy, what is there, and fails without a sound server")
  func findings() throws {
    let folder = try TemporaryFolder()
    let models = folder.file("continuo/models")
    try FileManager.default.createDirectory(at: models, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      at: fixture("MusicGen/mono/model"), to: models.appendingPathComponent("tiny"))
    let broken = models.appendingPathComponent("broken")
    try FileManager.default.copyItem(at: fixture("MusicGen/mono/model"), to: broken)
    try Data().write(to: broken.appendingPathComponent("model.safetensors"))
    let environment = [
      "XDG_DATA_HOME": folder.url.path, "JACK_DEFAULT_SERVER": "continuo-no-such-server",
      "XDG_RUNTIME_DIR": folder.url.path,
    ]
    let text = try runProgram("continuo", ["doctor"], environment: environment)
    #expect(text.status == 1 && !text.crashed)
    #expect(text.output.contains("no JACK server answers") && text.output.contains("→ start one"))
    #expect(
      text.output.contains("ok     model tiny") && text.output.contains("FAIL   model broken"))

    let json = try runProgram("continuo", ["doctor", "--json"], environment: environment)
    let found = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]]
    let problems = (found ?? []).filter { $0["verdict"] as? String == "problem" }
    #expect(problems.allSatisfy { ($0["remedy"] as? String)?.isEmpty == false })
    #expect(problems.compactMap { $0["subject"] as? String }.contains("sound server"))
  }
}
