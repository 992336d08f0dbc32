import Foundation
import Kernels
import Models
import TestSupport
import Testing

@Suite("Parameters")
struct ParametersTests {
  private let layout = ParameterLayout([("w", [2, 3]), ("b", [2]), ("scale", []), ("none", [0])])

  @Test("tensors lie one behind the other in the order they were named")
  func order() {
    #expect(layout.entries.map(\.range) == [0..<6, 6..<8, 8..<9, 9..<9])
    #expect(layout.count == 9 && layout.largest == 6)
    #expect(layout["b"] == 1 && layout.place(of: "scale") == 2 && layout.place(of: "x") == nil)
    let empty = ParameterLayout([])
    #expect(empty.count == 0 && empty.largest == 0)
  }

  @Test("a tensor's values are the part of the buffer that its entry names")
  func parts() {
    let values = WorkBuffer(count: 9)
    let numbers = (0..<9).map { Float($0) }
    values.copy(from: numbers.span)
    let parameters = Parameters(layout: layout, values: values)
    let bias = parameters.span(layout["b"])
    #expect(bias.count == 2 && bias[0] == 6 && bias[1] == 7)
    #expect(parameters.span(3).count == 0)
  }

  /// Reads two tensors from a file under a prefix.
  private func read(_ entries: [SafetensorsWriter.Entry]) throws -> Parameters {
    let folder = try TemporaryFolder()
    let file = folder.file("model.safetensors")
    try SafetensorsWriter.write(entries, to: file)
    return try Parameters(
      layout: ParameterLayout([("b", [2]), ("w", [2, 2])]), from: TensorStore(file: file),
      prefix: "net.")
  }

  @Test("are read in the layout's order, whatever the file's, and 16 bits become 32")
  func files() throws {
    let halves = Data([0x80, 0x3F, 0x00, 0xC0])  // 1, −2 in bfloat16
    let found = try read([
      .init(name: "net.w", shape: [2, 2], floats: [1, 2, 3, 4]),
      .init(name: "net.b", type: .bf16, shape: [2], data: halves),
      .init(name: "other.b", shape: [1], floats: [9]),
    ])
    #expect(found.values.array() == [1, -2, 1, 2, 3, 4])
  }

  @Test("a tensor that is missing, of another shape or not a number is named")
  func refusals() throws {
    let good = SafetensorsWriter.Entry(name: "net.w", shape: [2, 2], floats: [1, 2, 3, 4])
    for bad in [
      nil, SafetensorsWriter.Entry(name: "net.b", shape: [1, 2], floats: [1, 2]),
      .init(name: "net.b", shape: [2], floats: [1, .nan]),
    ] {
      do {
        _ = try read([good] + (bad.map { [$0] } ?? []))
        Issue.record("it was accepted")
      } catch let error as SafetensorsError { #expect(error.problem.contains("net.b")) }
    }
  }
}
