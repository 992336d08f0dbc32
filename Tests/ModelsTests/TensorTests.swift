import Foundation
import Models
import Testing

@Suite("Tensor store")
struct TensorTests {
  private func folder() throws -> URL {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "continuo-\(UInt64.random(in: 0...UInt64.max))")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    return url
  }

  @Test("shards are one store; a shard name that leaves the folder is refused")
  func shards() throws {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    for (file, name) in [("one.safetensors", "a"), ("two.safetensors", "b")] {
      try SafetensorsWriter.write(
        [.init(name: name, shape: [1], floats: [1])], to: folder.appendingPathComponent(file))
    }
    let index = folder.appendingPathComponent("model.safetensors.index.json")
    try Data(#"{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}"#.utf8).write(to: index)
    let store = try TensorStore(directory: folder)
    #expect(store.tensors.keys.sorted() == ["a", "b"])
    #expect(throws: SafetensorsError.self) { try store.tensor("a", shape: [2]) }
    try Data(#"{"weight_map":{"a":"../one.safetensors"}}"#.utf8).write(to: index)
    #expect(throws: SafetensorsError.self) { try TensorStore(directory: folder) }
  }

  @Test("a weight that is not a number is refused with its place")
  func notFinite() throws {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("model.safetensors")
    try SafetensorsWriter.write([.init(name: "w", shape: [3], floats: [0, 1, .nan])], to: file)
    #expect {
      _ = try TensorStore(directory: folder).buffer("w", shape: [3])
    } throws: { "\($0)".contains("place 2") }
  }
}
