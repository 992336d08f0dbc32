import Foundation
import Kernels
import Models
import TestSupport
import Testing

/// Files from strangers: every reader of Models refuses or accepts, and never crashes.
@Suite("Broken files")
struct BrokenFilesTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test("safetensors files")
  func safetensors() throws {
    let small = SafetensorsWriter.encode(
      [
        .init(name: "a", shape: [2, 3], floats: [1, 2, 3, 4, 5, 6]),
        .init(name: "b", shape: [4], integers: [1, 2, 3, 4]),
        .init(name: "h", type: .f16, shape: [2], data: Data([0, 0x3C, 0, 0xC0])),
        .init(name: "none", shape: [0, 7], floats: []),
      ], metadata: ["format": "pt"])
    let url = folder.file("x.safetensors")
    let result = fuzz("safetensors", [small], rounds: 800) { bytes in
      try bytes.write(to: url)
      let file = try SafetensorsFile(url: url)
      for tensor in file.tensors.values {
        _ = try? tensor.floats()
        _ = try? tensor.integers()
      }
    }
    #expect(result.refused > result.tried / 2)
  }

  @Test("codes")
  func codes() throws {
    let url = folder.file("codes.safetensors")
    try CodesFile(codes: (0..<80).map { $0 % 32 }, codebooks: 4, metadata: ["seed": "1"])
      .write(to: url)
    let good = try Data(contentsOf: url)
    fuzz("codes", [good], rounds: 800) { bytes in
      try bytes.write(to: url)
      _ = try CodesFile(contentsOf: url, codebooks: 4, cardinality: 32)
    }
  }

  @Test("config.json, alone and with the weights of another")
  func configuration() throws {
    let model = fixture("MusicGen/mono/model")
    let good = try Data(contentsOf: model.appendingPathComponent("config.json"))
    try FileManager.default.copyItem(
      at: model.appendingPathComponent("model.safetensors"), to: folder.file("model.safetensors"))
    fuzz("config", [good], rounds: 150) { bytes in
      try bytes.write(to: folder.file("config.json"))
      let config = try MusicGenConfig(folder: folder.url)
      _ = try EnCodecConfig(json: config.audioEncoder)
      _ = try MusicGen(folder: folder.url)
    }
  }

  @Test("a whole model: what loads also plays")
  func model() throws {
    let source = fixture("MusicGen/mono/model")
    let good = try Data(contentsOf: source.appendingPathComponent("model.safetensors"))
    try FileManager.default.copyItem(
      at: source.appendingPathComponent("config.json"), to: folder.file("config.json"))
    let pool = ComputePool(threads: 1)
    fuzz("model", [good], rounds: 25) { bytes in
      try bytes.write(to: folder.file("model.safetensors"))
      let model = try MusicGen(folder: folder.url)
      let prompt = (0..<6400).map { Float($0 % 100) / 200 }
      let continuation = try Continuation(
        model: model, prompt: [prompt], text: nil, newFrames: 12, settings: SamplingSettings(),
        pool: pool)
      var samples = 0
      try continuation.run(afterStep: { _ in }, sound: { samples += $0[0].count })
      #expect(samples == 22 * 640)
    }
  }

  @Test("the index of shards")
  func index() throws {
    let good = Data(
      """
      {"metadata":{"total_size":8},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}
      """.utf8)
    try SafetensorsWriter.write(
      [.init(name: "a", shape: [1], floats: [1])], to: folder.file("one.safetensors"))
    try SafetensorsWriter.write(
      [.init(name: "b", shape: [1], floats: [1])], to: folder.file("two.safetensors"))
    fuzz("index", [good], rounds: 500) { bytes in
      try bytes.write(to: folder.file("model.safetensors.index.json"))
      _ = try TensorStore(directory: folder.url)
    }
  }

  @Test("vocabularies", arguments: ["spiece.model", "tokenizer.json"])
  func vocabulary(name: String) throws {
    let good = try Data(contentsOf: fixture("tokenizer/" + name))
    fuzz(name, [good], rounds: 300) { bytes in
      try bytes.write(to: folder.file(name))
      let tokenizer = try TextTokenizer(directory: folder.url)
      for text in ["slow jazz 🎷", "", "ＦＵＮＫ\u{0}\t café"] { _ = try tokenizer.ids(of: text) }
    }
  }
}
