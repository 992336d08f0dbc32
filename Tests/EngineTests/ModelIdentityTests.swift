import Foundation
import Models
import TestSupport
import Testing

@testable import Engine

/// A model's folder and a cache of its own.
private struct Shelf {
  let folder: TemporaryFolder
  var model: URL { folder.file("model") }
  var environment: [String: String] { ["HOME": "/nowhere", "XDG_CACHE_HOME": folder.url.path] }

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(at: model, withIntermediateDirectories: true)
    try write(seed: 1)
  }

  func write(seed: UInt64, name: String = "model.safetensors") throws {
    try SafetensorsWriter.write(
      randomDecoder(smallConfig, seed: seed), to: model.appendingPathComponent(name))
  }

  func identity() throws -> ModelIdentity {
    try ModelIdentity(name: "tiny", config: smallConfig, folder: model, environment: environment)
  }

  /// The files of the cache.
  func entries() throws -> [URL] {
    let cache = folder.file("continuo/fingerprints")
    return try FileManager.default.contentsOfDirectory(at: cache, includingPropertiesForKeys: nil)
  }
}

@Suite struct ModelIdentityTests {
  @Test func saysNameDimensionsAndTheFingerprintOfTheWeights() throws {
    let shelf = try Shelf()
    let identity = try shelf.identity()
    #expect(identity.family == "musicgen" && identity.name == "tiny")
    #expect(identity.layers == 2 && identity.heads == 3 && identity.headDimension == 8)
    let store = try TensorStore(directory: shelf.model)
    #expect(identity.fingerprint == ModelFingerprint.compute(store))
    #expect(identity.fingerprint.count == 64)
  }

  @Test func theFingerprintIsRememberedAndBelieved() throws {
    let shelf = try Shelf()
    let identity = try shelf.identity()
    let entry = try #require(try shelf.entries().first)
    #expect(try String(contentsOf: entry, encoding: .utf8) == identity.fingerprint)
    let other = String(repeating: "a", count: 64)
    try Data(other.utf8).write(to: entry)
    #expect(try shelf.identity().fingerprint == other, "the weights are not read again")
  }

  @Test(arguments: ["", "abc", String(repeating: "a", count: 65)])
  func aBrokenEntryIsMendedAndCostsTimeOnly(text: String) throws {
    let shelf = try Shelf()
    let identity = try shelf.identity()
    let entry = try #require(try shelf.entries().first)
    try Data(text.utf8).write(to: entry)
    #expect(try shelf.identity() == identity)
    #expect(try String(contentsOf: entry, encoding: .utf8) == identity.fingerprint)
  }

  @Test func otherWeightsInTheSamePlaceHaveAnotherFingerprint() throws {
    let shelf = try Shelf()
    let before = try shelf.identity().fingerprint
    try shelf.write(seed: 2)
    // As long ago as the first file: only its time of change tells them apart.
    #expect(try shelf.identity().fingerprint != before)
    try shelf.write(seed: 1)
    #expect(try shelf.identity().fingerprint == before)
  }

  @Test func aCacheThatCannotBeWrittenIsNoProblem() throws {
    let shelf = try Shelf()
    let identity = try ModelIdentity(
      name: "tiny", config: smallConfig, folder: shelf.model,
      environment: ["XDG_CACHE_HOME": "/proc/no-such-place"])
    #expect(try identity == shelf.identity())
  }

  @Test func aFolderWithoutWeightsIsTold() throws {
    let shelf = try Shelf()
    let empty = shelf.folder.file("empty")
    try FileManager.default.createDirectory(at: empty, withIntermediateDirectories: true)
    #expect(throws: SafetensorsError.self) {
      try ModelIdentity(
        name: "tiny", config: smallConfig, folder: empty, environment: shelf.environment)
    }
  }
}
