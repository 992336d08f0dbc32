import Foundation
import TestSupport
import Testing

@testable import Engine

@Suite struct DataFoldersTests {
  @Test func variablesOfTheBaseDirectorySpecificationAreFollowed() {
    let folders = DataFolders(environment: [
      "HOME": "/h", "XDG_DATA_HOME": "/d", "XDG_CONFIG_HOME": "/c",
    ])
    #expect(folders.states.path == "/d/continuo/states")
    #expect(folders.prompts.path == "/d/continuo/prompts")
    #expect(folders.takes.path == "/d/continuo/takes")
    #expect(folders.midiMap.path == "/c/continuo/midi.json")
  }

  @Test(arguments: [[:], ["XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "here"]])
  func unsetEmptyAndRelativeOnesAreIgnored(variables: [String: String]) {
    let folders = DataFolders(environment: variables.merging(["HOME": "/h"]) { $1 })
    #expect(folders.data.path == "/h/.local/share/continuo")
    #expect(folders.configuration.path == "/h/.config/continuo")
  }

  @Test func withoutAHomeTheSystemsIsTaken() {
    #expect(
      DataFolders(environment: [:]).data.path == NSHomeDirectory() + "/.local/share/continuo")
  }

  @Test(arguments: [
    "a", "take-2026-01-31-235959", "Abend in Wien", "ночь", "夜", "v1.2", "a_b", "0",
    String(repeating: "a", count: 128),
  ])
  func aNameOfLettersAndDigitsIsTaken(name: String) throws {
    #expect(try DataFolders.checked(name) == name)
  }

  @Test(arguments: [
    "", ".", "..", ".hidden", "../x", "a/b", "/etc/passwd", "a\\b", "a\0b", "a\nb", "a\u{1B}[0m",
    "a;b", "a*b", "~", "a\u{202E}b", "👍", "½", "²", String(repeating: "a", count: 129),
    String(repeating: "ю", count: 65),
  ])
  func anythingElseIsNoName(name: String) {
    #expect(throws: ControlError.self) { try DataFolders.checked(name) }
  }

  @Test func aBadNameIsToldWithoutItsControlCharacters() {
    #expect(throws: ControlError.badName("a?b")) { try DataFolders.checked("a\u{7}b") }
  }

  @Test func aFolderIsMadeWithItsParentsAndAgain() throws {
    let folder = try TemporaryFolder()
    let deep = folder.file("a/b/c")
    try DataFolders.make(deep)
    try DataFolders.make(deep)
    #expect(try deep.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true)
  }

  @Test func aFileInTheWayIsTold() throws {
    let folder = try TemporaryFolder()
    try Data().write(to: folder.file("a"))
    let below = folder.file("a/b")
    #expect(
      throws: ControlError.cannotCreate(what: below.path, reason: "the folder cannot be made")
    ) { try DataFolders.make(below) }
  }
}
