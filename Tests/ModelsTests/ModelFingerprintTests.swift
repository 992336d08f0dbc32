import Foundation
import Models
import TestSupport
import Testing

@Suite("Model fingerprint")
struct ModelFingerprintTests {
  private let entries: [SafetensorsWriter.Entry] = [
    .init(name: "decoder.a", shape: [2, 2], floats: [1, 2, 3, 4]),
    .init(name: "decoder.b", shape: [1], floats: [5]),
  ]

  private func print(_ entries: [SafetensorsWriter.Entry], prefix: String = "decoder.") throws
    -> String
  {
    let folder = try TemporaryFolder()
    let file = folder.file("model.safetensors")
    try SafetensorsWriter.write(entries, to: file)
    return ModelFingerprint.compute(try TensorStore(file: file), prefix: prefix)
  }

  @Test("is SHA-256 over names, types, shapes and bytes, as written down")
  func known() throws {
    // Python: hashlib.sha256(b"decoder.a\0F32\x002x2\0" + struct.pack("<4f", 1, 2, 3, 4)
    //   + b"decoder.b\0F32\x001\0" + struct.pack("<f", 5)).hexdigest()
    #expect(
      try print(entries) == "a539286c475e54899638a5989e2d915ed8b14a3d8e5c62c10d4f43b8ee5c4df2")
  }

  @Test("does not depend on the order in the file, nor on tensors that are not the decoder's")
  func same() throws {
    let expected = try print(entries)
    #expect(try print(entries.reversed()) == expected)
    #expect(
      try print(
        entries + [
          .init(name: "text_encoder.a", shape: [1], floats: [1]),
          .init(
            name: "decoder.model.decoder.embed_positions.weights", shape: [2], floats: [1, 2]),
        ]) == expected)
  }

  @Test("is the same for one file and for shards")
  func shards() throws {
    let folder = try TemporaryFolder()
    var map: [String: String] = [:]
    for (place, entry) in entries.enumerated() {
      try SafetensorsWriter.write([entry], to: folder.file("\(place).safetensors"))
      map[entry.name] = "\(place).safetensors"
    }
    try JSONSerialization.data(withJSONObject: ["weight_map": map]).write(
      to: folder.file("model.safetensors.index.json"))
    #expect(try ModelFingerprint.compute(TensorStore(directory: folder.url)) == print(entries))
  }

  @Test("changes with a bit of a weight, a name, a shape or a type")
  func different() throws {
    let a = entries[0]
    var others: [SafetensorsWriter.Entry] = [
      .init(name: "decoder.a", shape: [2, 2], floats: [1, 2, 3, Float(4).nextUp]),
      .init(name: "decoder.aa", shape: [2, 2], floats: [1, 2, 3, 4]),
      .init(name: "decoder.a", shape: [4], floats: [1, 2, 3, 4]),
      .init(name: "decoder.a", shape: [1, 4], floats: [1, 2, 3, 4]),
    ]
    others.append(.init(name: a.name, type: .i32, shape: a.shape, data: a.data))
    let prints = try others.map { try print([$0, entries[1]]) }
    #expect(Set(prints + [try print(entries)]).count == others.count + 1)
  }

  @Test("of nothing is that of the empty message; another prefix is another network")
  func prefixes() throws {
    #expect(
      try print(entries, prefix: "nobody.")
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(try print(entries, prefix: "decoder.b") != print(entries))
  }
}
