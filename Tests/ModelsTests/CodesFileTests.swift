import Foundation
import Models
import TestSupport
import Testing

@Suite("Codes file")
struct CodesFileTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test("codes and metadata come back, stored codebook by codebook")
  func roundTrip() throws {
    let url = folder.file("codes.safetensors")
    let codes = CodesFile(codes: [1, 2, 3, 4, 5, 6], codebooks: 2, metadata: ["seed": "7"])
    try codes.write(to: url)
    #expect(try CodesFile(contentsOf: url, codebooks: 2, cardinality: 7) == codes)
    let tensor = try #require(try SafetensorsFile(url: url).tensors["codes"])
    #expect(tensor.shape == [2, 3])
    #expect(try tensor.integers() == [1, 3, 5, 2, 4, 6])
  }

  @Test("a take's file, frame by frame, gives the same codes")
  func asPlayed() throws {
    let url = folder.file("codes.safetensors")
    try SafetensorsWriter.write(
      [.init(name: "codes", shape: [3, 2], integers: [1, 2, 3, 4, 5, 6])], to: url)
    #expect(try CodesFile(contentsOf: url, codebooks: 2).codes == [1, 2, 3, 4, 5, 6])
    let long = (0..<200).map { Int32($0) }
    try SafetensorsWriter.write([.init(name: "codes", shape: [100, 2], integers: long)], to: url)
    #expect(try CodesFile(contentsOf: url, codebooks: 2).codes == long)
    #expect(throws: CodesFileError.wrongShape(file: url.path, shape: [100, 2])) {
      try CodesFile(contentsOf: url)
    }
  }

  @Test("no frames are a file too")
  func empty() throws {
    let url = folder.file("codes.safetensors")
    try CodesFile(codes: [], codebooks: 4).write(to: url)
    #expect(try CodesFile(contentsOf: url).frames == 0)
  }

  @Test("the wrong number of codebooks, codes out of range and other tensors are named")
  func refused() throws {
    let url = folder.file("codes.safetensors")
    try CodesFile(codes: [1, 2, 3, 4, 5, 6], codebooks: 2).write(to: url)
    #expect(
      throws: CodesFileError.wrongCodebooks(file: url.path, found: 2, expected: 4)
    ) { try CodesFile(contentsOf: url, codebooks: 4) }
    #expect(
      throws: CodesFileError.outOfRange(
        file: url.path, code: 6, frame: 2, codebook: 1, cardinality: 6)
    ) { try CodesFile(contentsOf: url, cardinality: 6) }
    try SafetensorsWriter.write([.init(name: "codes", shape: [3], integers: [1, 2, 3])], to: url)
    #expect(throws: CodesFileError.wrongShape(file: url.path, shape: [3])) {
      try CodesFile(contentsOf: url)
    }
    try SafetensorsWriter.write([.init(name: "codes", shape: [1, 1], floats: [1])], to: url)
    #expect(throws: SafetensorsError.self) { try CodesFile(contentsOf: url) }
    try SafetensorsWriter.write([.init(name: "other", shape: [1, 1], integers: [1])], to: url)
    #expect(throws: SafetensorsError.self) { try CodesFile(contentsOf: url) }
  }
}
