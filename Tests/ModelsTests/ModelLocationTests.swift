import Foundation
import Models
import Reporting
import TestSupport
import Testing

@Suite("Model location")
struct ModelLocationTests {
  let folder: TemporaryFolder
  let environment: [String: String]

  init() throws {
    folder = try TemporaryFolder()
    environment = [
      "XDG_DATA_HOME": folder.file("user").path,
      "XDG_DATA_DIRS": "relative:\(folder.file("system").path)", "HOME": folder.url.path,
    ]
    for path in ["shipped/house", "user/continuo/models/mine", "system/continuo/models/mine"] {
      try makeModel(path)
    }
    try makeModel("system/continuo/models/big")
    try FileManager.default.createDirectory(
      at: folder.file("user/continuo/models/empty"), withIntermediateDirectories: true)
  }

  private func makeModel(_ path: String) throws {
    try FileManager.default.createDirectory(
      at: folder.file(path), withIntermediateDirectories: true)
    try Data("{}".utf8).write(to: folder.file(path + "/config.json"))
  }

  private func find(_ text: String) throws -> ModelLocation {
    try ModelLocation.find(text, shipped: folder.file("shipped"), environment: environment)
  }

  @Test("a name is found where it is shipped or installed, the user's before the system's")
  func names() throws {
    #expect(try find("house").origin == .shipped)
    #expect(try find("mine").folder.path == folder.file("user/continuo/models/mine").path)
    #expect(try find("big").origin == .installed)
    let all = ModelLocation.all(shipped: folder.file("shipped"), environment: environment)
    #expect(all.map(\.name) == ["house", "mine", "big"])
  }

  @Test("a path is taken as it is")
  func path() throws {
    let location = try find(folder.file("shipped/house").path)
    #expect(location.origin == .path && location.name == "house")
  }

  @Test("an unknown name says which names there are and where to put one")
  func unknown() {
    #expect {
      try find("huose\u{1B}")
    } throws: { error in
      let text = explanation(of: error)
      return text.contains("huose?") && text.contains("house, mine, big")
        && text.contains("user/continuo/models") && (error as? ModelLocationError)?.kind == .noInput
    }
  }

  @Test("a folder that is missing, or that holds no model, is told apart")
  func wrongPath() throws {
    #expect(throws: ModelLocationError.noSuchFolder(path: "./none/")) { try find("./none/") }
    #expect(throws: ModelLocationError.noModel(path: folder.url.path)) { try find(folder.url.path) }
    #expect(throws: ModelLocationError.self) { try find("") }
  }
}
