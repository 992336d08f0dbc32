import Foundation
import Models
import TestSupport
import Testing

@Suite("Language model weights")
struct LanguageModelWeightsTests {
  private func message(_ change: (inout [SafetensorsWriter.Entry]) -> Void) throws -> String {
    let folder = try TemporaryFolder()
    var entries = randomDecoder(smallConfig, seed: 1)
    change(&entries)
    let file = folder.file("model.safetensors")
    try SafetensorsWriter.write(entries, to: file)
    do {
      _ = try LanguageModel(config: smallConfig, store: TensorStore(file: file))
      return "loaded"
    } catch { return "\(error)" }
  }

  @Test("missing, misshapen and infinite tensors are named")
  func broken() throws {
    let name = "decoder.model.decoder.layers.1.fc1.weight"
    #expect(try message { _ in } == "loaded")
    #expect(try message { $0.removeAll { $0.name == name } }.contains("no tensor \(name)"))
    #expect(
      try message {
        let index = $0.firstIndex { $0.name == name }!
        $0[index].shape = [$0[index].shape[1], $0[index].shape[0]]
      }.contains("tensor \(name) has shape [24, 40], but [40, 24] is needed"))
    #expect(
      try message {
        let index = $0.firstIndex { $0.name == name }!
        $0[index].data.replaceSubrange(8..<12, with: [0, 0, 0x80, 0x7F])
      }.contains("tensor \(name) holds a value that is not a number or infinite at place 2"))
  }

  @Test("more layers in the file than in the configuration is a contradiction, not a guess")
  func extraLayer() throws {
    #expect(
      try message {
        $0.append(
          .init(
            name: "decoder.model.decoder.layers.2.fc1.weight", shape: [1], floats: [0]))
      }.contains("only 2 layers"))
  }

  @Test("half-precision weights give the logits of their values")
  func halves() throws {
    let entries = randomDecoder(smallConfig, seed: 4)
    let rounded = entries.map { entry in
      var entry = entry
      let floats = stride(from: 0, to: entry.data.count, by: 4).map { at in
        Float(
          bitPattern: (0..<4).reduce(UInt32(0)) {
            $0 | UInt32(entry.data[at + $1]) << UInt32(8 * $1)
          } & 0xFFFF_0000)
      }
      entry = .init(name: entry.name, shape: entry.shape, floats: floats)
      return entry
    }
    let brains = rounded.map { entry in
      var data = Data()
      for at in stride(from: 0, to: entry.data.count, by: 4) {
        data.append(entry.data[at + 2])
        data.append(entry.data[at + 3])
      }
      return SafetensorsWriter.Entry(
        name: entry.name, type: .bf16, shape: entry.shape, data: data)
    }
    let folder = try TemporaryFolder()
    let codes = try [("a", rounded), ("b", brains)].map { name, entries in
      let file = folder.file(name + ".safetensors")
      try SafetensorsWriter.write(entries, to: file)
      let model = try LanguageModel(config: smallConfig, store: TensorStore(file: file))
      return try generatedCodes(model, steps: 30)
    }
    #expect(codes[0] == codes[1])
  }
}
