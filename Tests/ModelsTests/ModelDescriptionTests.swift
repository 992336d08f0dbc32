import Foundation
import Models
import TestSupport
import Testing

@Suite("Model description")
struct ModelDescriptionTests {
  @Test("figures are the checkpoint's")
  func figures() throws {
    let folder = fixture("MusicGen/mono/model")
    let model = try MusicGen(folder: folder)
    let description = ModelDescription(model)
    #expect(description.layers == 2 && description.heads == 2 && description.headDimension == 8)
    #expect(description.types == "F32")
    let (C, F, V, K, L) = (16, 24, 16, 4, 2)
    // Eight C × C matrices, two C × F and three norms per layer; K tables and heads; one norm.
    let layer = 8 * C * C + 2 * C * F + 6 * C
    #expect(description.decoderParameters == L * layer + K * (V + 1) * C + K * V * C + 2 * C)
    #expect(description.fingerprint.count == 64)
  }

  @Test("the licence comes from the model card's front matter and nowhere else")
  func licence() throws {
    let folder = try TemporaryFolder()
    func card(_ text: String) throws -> String {
      try Data(text.utf8).write(to: folder.file("README.md"))
      return ModelDescription.licence(folder: folder.url)
    }
    #expect(ModelDescription.licence(folder: folder.url) == "not stated")
    #expect(try card("---\ntags: [a]\nlicense: cc-by-nc-4.0\n---\n# Model") == "cc-by-nc-4.0")
    #expect(try card("# Model\nlicense: mit") == "not stated")
    #expect(try card("---\ntags: x\n---\nlicense: mit") == "not stated")
  }
}
