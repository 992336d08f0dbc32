import Foundation
import Models
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite struct ModelIdentityCacheTests {
  private func write(seed: UInt64, to folder: TemporaryFolder) throws {
    try SafetensorsWriter.write(
      randomDecoder(smallConfig, seed: seed), to: folder.file("model.safetensors"))
  }

  @Test func isComputedOnceAndStaysWhatItWas() throws {
    let folder = try TemporaryFolder()
    try write(seed: 1, to: folder)
    let cache = ModelIdentityCache(name: "tiny", config: smallConfig, folder: folder.url)
    let first = try cache.get()
    #expect(first.fingerprint == ModelFingerprint.compute(try TensorStore(directory: folder.url)))
    // The running model keeps the weights it has, whatever becomes of the file.
    try write(seed: 2, to: folder)
    #expect(try cache.get() == first)
  }

  @Test func aFailureIsNotRemembered() throws {
    let folder = try TemporaryFolder()
    let cache = ModelIdentityCache(name: "tiny", config: smallConfig, folder: folder.url)
    #expect(throws: SafetensorsError.self) { try cache.get() }
    try write(seed: 1, to: folder)
    #expect(try cache.get().name == "tiny")
  }

  @Test func manyWhoAskAtOnceGetTheSame() throws {
    let folder = try TemporaryFolder()
    try write(seed: 3, to: folder)
    let cache = ModelIdentityCache(name: "tiny", config: smallConfig, folder: folder.url)
    let found = Mutex<[ModelIdentity]>([])
    DispatchQueue.concurrentPerform(iterations: 8) { _ in
      guard let identity = try? cache.get() else { return }
      found.withLock { $0.append(identity) }
    }
    let all = found.withLock { $0 }
    #expect(all.count == 8 && Set(all.map(\.fingerprint)).count == 1)
  }
}
