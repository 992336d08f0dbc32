import Foundation
import TestSupport
import Testing

@testable import Engine

@Suite struct StateFileTests {
  @Test func valuesComeBackWithDirectionsFirst() throws {
    let folder = try TemporaryFolder()
    let file = folder.file("a/state.json")
    var store = ParameterStore()
    _ = try store.set("/engine/gain", .float(0.5))
    _ = try store.set("/knob/1/direction", .string("x/y"))
    _ = try store.set("/sampling/top_k", .int(10))
    try StateFile.save(store.saved, to: file)
    let values = try StateFile.load(file)
    #expect(values.map(\.address) == ["/knob/1/direction", "/engine/gain", "/sampling/top_k"])
    var other = ParameterStore()
    for (address, value) in values { _ = try other.set(address, value) }
    #expect(other["/engine/gain"] == .float(0.5) && other["/sampling/top_k"] == .int(10))
  }

  @Test func whatIsNoStateIsRefused() throws {
    let folder = try TemporaryFolder()
    #expect(throws: ControlError.self) { try StateFile.load(folder.file("none.json")) }
    let file = folder.file("bad.json")
    try Data("[1,2]".utf8).write(to: file)
    #expect(throws: ControlError.self) { try StateFile.load(file) }
  }

  @Test(arguments: ["../x", "a/b", ".hidden", "", "a\u{0}b", "tab\there"])
  func namesAreNoPaths(name: String) {
    #expect(throws: ControlError.self) { try DataFolders.checked(name) }
  }

  @Test(arguments: ["evening set 2", "Übung-1", "a_b.c"]) func plainNamesAreTaken(name: String)
    throws
  {
    #expect(try DataFolders.checked(name) == name)
  }
}
