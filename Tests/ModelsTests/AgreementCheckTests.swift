import Foundation
import Kernels
import Models
import TestSupport
import Testing

@Suite("Agreement check")
struct AgreementCheckTests {
  private let golden = fixture("MusicGen/agreement/agreement.safetensors")

  private func check(_ file: URL) throws -> [String: CheckResult] {
    let model = try MusicGen(folder: fixture("MusicGen/mono/model"))
    let sheet = try CheckSheet(file: file)
    #expect(AgreementCheck.knows(sheet) && !MusicGenCheck.knows(sheet))
    try AgreementCheck(model: model, sheet: sheet, pool: ComputePool()).run()
    return Dictionary(
      uniqueKeysWithValues: sheet.finish().map { (String($0.name.split(separator: "/")[1]), $0) })
  }

  @Test("fed the same codes, this build chooses the codes that transformers chooses")
  func agreement() throws {
    let results = try check(golden)
    #expect(results.count == 3 && results.values.allSatisfy { $0.status == .ok }, "\(results)")
    #expect(results["agreement.choices"]?.absolute == 0)
  }

  @Test("one place in a hundred may not differ, and codes of another shape are not compared")
  func tampering() throws {
    let folder = try TemporaryFolder()
    let store = try TensorStore(file: golden)
    let codes = try store.tensor("agreement.codes")
    var choices = try store.tensor("agreement.choices").integers()
    for place in stride(from: 0, to: choices.count, by: 100) {
      choices[place] = (choices[place] + 1) % 16
    }
    func write(_ shape: [Int]) throws {
      try SafetensorsWriter.write(
        [
          .init(name: "agreement.codes", shape: shape, integers: try codes.integers()),
          .init(name: "agreement.choices", shape: shape, integers: choices),
        ], to: folder.file("agreement.safetensors"))
    }
    try write(codes.shape)
    let failed = try check(folder.file("agreement.safetensors"))["agreement.choices"]
    #expect(failed?.status == .failed && (failed?.relative ?? 0) > 0.009)
    try write([codes.shape[0], codes.shape[2], codes.shape[1]])
    let other = try check(folder.file("agreement.safetensors"))["agreement.choices"]
    #expect(other?.status == .notComputed)
  }
}
