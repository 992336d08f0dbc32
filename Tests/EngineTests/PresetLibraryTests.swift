import Engine
import Foundation
import TestSupport
import Testing

@Suite("Preset library")
struct PresetLibraryTests {
  private func library(_ folder: TemporaryFolder) -> PresetLibrary {
    PresetLibrary(
      folders: [folder.file("first"), folder.file("ours"), folder.file("shipped")],
      installFolder: folder.file("ours"))
  }

  @Test("of two installed versions the higher wins; removing it gives the first back")
  func versions() throws {
    let folder = try TemporaryFolder()
    let library = library(folder)
    for version in ["1.9.0", "1.10.0"] {
      try PresetSamples.bundle(version: version).write(to: folder.file("new.continuo"))
      _ = try library.install(folder.file("new.continuo"))
    }
    #expect(try library.find("org.example.drums").manifest.version == "1.10.0")
    #expect(try library.find("org.example.drums@1.9.0").manifest.version == "1.9.0")
    #expect(try library.find("drums").manifest.version == "1.10.0")
    for wrong in ["rums", "@", "@@", "@1.10.0", "drums@", ""] {
      #expect(throws: PresetError.self) { try library.find(wrong) }
    }
    let list = library.list()
    #expect(list.count == 2 && list[0].shadowedBy == nil)
    #expect(list[1].shadowedBy == list[0].url)
    #expect(
      try library.remove("org.example.drums").lastPathComponent
        == "org.example.drums@1.10.0.continuo")
    #expect(try library.find("org.example.drums").manifest.version == "1.9.0")
    #expect(throws: PresetError.self) { try library.find("org.example.drums@1.10.0") }
  }

  @Test("an earlier folder hides a later one, whatever the versions")
  func folders() throws {
    let folder = try TemporaryFolder()
    let library = library(folder)
    for name in ["first", "shipped"] {
      try FileManager.default.createDirectory(
        at: folder.file(name), withIntermediateDirectories: true)
    }
    try PresetSamples.bundle(version: "1.0.0").write(to: folder.file("first/drums"))
    try PresetSamples.bundle(version: "2.0.0").write(to: folder.file("shipped/drums"))
    #expect(try library.find("org.example.drums").manifest.version == "1.0.0")
    #expect(throws: PresetError.self) { try library.remove("org.example.drums") }
    #expect(try PresetBundle(at: folder.file("shipped/drums")).manifest.version == "2.0.0")
  }

  @Test("a broken bundle is listed with its reason and hides nothing")
  func broken() throws {
    let folder = try TemporaryFolder()
    let library = library(folder)
    try PresetSamples.bundle().write(to: folder.file("new.continuo"))
    _ = try library.install(folder.file("new.continuo"))
    try Data("PK nonsense".utf8).write(to: folder.file("ours/a.continuo"))
    let list = library.list()
    #expect(list.count == 2)
    #expect(list.filter { (try? $0.bundle.get()) == nil }.count == 1)
    #expect(try library.find("org.example.drums").manifest.version == "1.0.0")
  }

  @Test("a refused bundle installs nothing and writes nothing")
  func refused() throws {
    let folder = try TemporaryFolder()
    let library = library(folder)
    let entry = ZipWriter.Entry(name: "../../escape", data: Data("x".utf8))
    try ZipWriter.archive([entry]).write(to: folder.file("evil.continuo"))
    #expect(throws: PresetError.self) { try library.install(folder.file("evil.continuo")) }
    #expect(try folder.names() == ["evil.continuo"])
  }

  @Test("what killed installs left behind is cleared, what running ones need is not")
  func leftovers() throws {
    let folder = try TemporaryFolder()
    let library = library(folder)
    try FileManager.default.createDirectory(
      at: folder.file("ours"), withIntermediateDirectories: true)
    let dead = ".123-2147483000.partial-x.continuo"
    let living = ".123-\(ProcessInfo.processInfo.processIdentifier).partial-x.continuo"
    for name in [dead, living] { try Data().write(to: folder.file("ours/\(name)")) }
    try PresetSamples.bundle().write(to: folder.file("new.continuo"))
    _ = try library.install(folder.file("new.continuo"))
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.file("ours").path)
    #expect(names.sorted() == [living, "org.example.drums@1.0.0.continuo"])
  }

  @Test("the environment names the folders in the promised order")
  func environment() {
    let library = PresetLibrary(
      environment: [
        "CONTINUO_PRESET_PATH": "/a:relative:/b", "XDG_DATA_HOME": "/home/x",
        "XDG_DATA_DIRS": "/usr/share", "HOME": "/root",
      ], executable: "/nowhere/continuo")
    #expect(
      library.folders.map(\.path) == [
        "/a", "/b", "/home/x/continuo/presets", "/usr/share/continuo/presets",
      ])
    #expect(library.installFolder.path == "/home/x/continuo/presets")
  }
}
