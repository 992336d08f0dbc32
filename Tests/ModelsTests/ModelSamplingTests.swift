import Foundation
import TestSupport
import Testing

@testable import Models

@Suite("Model sampling")
struct ModelSamplingTests {
  private func sampling(_ text: String?) throws -> ModelSampling {
    let folder = try TemporaryFolder()
    if let text {
      try Data(text.utf8).write(to: folder.url.appendingPathComponent(ModelSampling.fileName))
    }
    return try ModelSampling(folder: folder.url)
  }

  @Test("a folder's wish is read; without one nothing comes back by itself")
  func reading() throws {
    #expect(try sampling(nil).recall == 0)
    #expect(try sampling("{\"recall\": 12}").recall == 12)
    #expect(try sampling("{}").recall == 0)
    #expect(try sampling("{\"recall\": 20, \"other\": true}").recall == 20)
  }

  @Test(
    "what makes no sense is refused",
    arguments: ["", "[]", "12", "{\"recall\": \"much\"}", "{\"recall\": -1}", "{\"recall\": 21}"])
  func refusals(text: String) {
    #expect(throws: ModelSamplingError.self) { try sampling(text) }
  }

  @Test("the house model asks for what its card says")
  func house() throws {
    let house = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Sources/HouseModel/Resources/house")
    #expect(try ModelSampling(folder: house).recall == 12)
  }
}
