import Foundation
import Kernels
import Models
import TestSupport
import Testing

@Suite("MusicGen check")
struct MusicGenCheckTests {
  private func check(_ model: MusicGen, golden: URL) throws -> [CheckResult] {
    let sheet = try CheckSheet(file: golden)
    try MusicGenCheck(model: model, sheet: sheet, pool: ComputePool()).run()
    return sheet.finish()
  }

  @Test(
    "text, codec, decoder, greedy generation and continuation agree with transformers",
    arguments: ["mono", "stereo", "short"])
  func agreement(name: String) throws {
    let folder = fixture("MusicGen/\(name)")
    let model = try MusicGen(folder: folder.appendingPathComponent("model"))
    let results = try check(model, golden: folder.appendingPathComponent("golden.safetensors"))
    #expect(results.count >= 16)
    for result in results { #expect(result.status == .ok, "\(result)") }
  }

  @Test("the same values agree with every instruction set", arguments: ["mono", "short"])
  func everyInstructionSet(name: String) throws {
    let folder = fixture("MusicGen/\(name)")
    let model = try MusicGen(folder: folder.appendingPathComponent("model"))
    for set in InstructionSet.allCases {
      let results = try set.use {
        try check(model, golden: folder.appendingPathComponent("golden.safetensors"))
      }
      for result in results ?? [] { #expect(result.status == .ok, "\(set): \(result)") }
    }
  }

  @Test("a golden value moved by 1 % of its tensor's range fails, and only that tensor")
  func tampering() throws {
    let source = fixture("MusicGen/mono")
    let model = try MusicGen(folder: source.appendingPathComponent("model"))
    let golden = try TensorStore(file: source.appendingPathComponent("golden.safetensors"))
    let outputs = golden.tensors.values.filter {
      $0.type.isFloat && $0.name != "wave" && $0.name != "continued_prompt_wave"
    }
    #expect(outputs.count >= 11)
    var random = TestRandom(seed: 5)
    let entries = try golden.tensors.values.map { tensor in
      guard tensor.type.isFloat else {
        return SafetensorsWriter.Entry(
          name: tensor.name, shape: tensor.shape, integers: try tensor.integers())
      }
      var values = try tensor.floats()
      if outputs.contains(where: { $0.name == tensor.name }) {
        let range = (values.max() ?? 0) - (values.min() ?? 0)
        values[Int.random(in: 0..<values.count, using: &random)] += 0.01 * range
      }
      return SafetensorsWriter.Entry(name: tensor.name, shape: tensor.shape, floats: values)
    }
    let folder = try TemporaryFolder()
    let file = folder.file("golden.safetensors")
    try SafetensorsWriter.write(entries, to: file)
    for result in try check(model, golden: file) {
      let moved = outputs.contains { result.name.hasSuffix("/\($0.name)") }
      #expect(result.status == (moved ? .failed : .ok), "\(result)")
    }
  }

  @Test("a code that is not a tie in the reference fails")
  func wrongCode() throws {
    let source = fixture("MusicGen/mono")
    let model = try MusicGen(folder: source.appendingPathComponent("model"))
    let golden = try TensorStore(file: source.appendingPathComponent("golden.safetensors"))
    let codes = try golden.tensor("wave_codes")
    var values = try codes.integers()
    values[7] = (values[7] + 1) % 16
    let wave = try golden.tensor("wave")
    let folder = try TemporaryFolder()
    let file = folder.file("golden.safetensors")
    try SafetensorsWriter.write(
      [
        .init(name: "wave_codes", shape: codes.shape, integers: values),
        .init(name: "wave", shape: wave.shape, floats: try wave.floats()),
      ], to: file)
    let sheet = try CheckSheet(file: file)
    try MusicGenCheck(model: model, sheet: sheet, pool: ComputePool()).run()
    #expect(sheet.finish().first { $0.name.hasSuffix("wave_codes") }?.status == .failed)
  }
}
