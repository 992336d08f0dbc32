import Foundation
import Models
import Testing

@Suite("Safetensors")
struct SafetensorsTests {
  /// Writes `bytes` to a file of its own, hands it to `body`, removes it.
  private func withFile<Result>(_ bytes: Data, _ body: (URL) throws -> Result) throws -> Result {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "continuo-\(UInt64.random(in: 0...UInt64.max)).safetensors")
    try bytes.write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try body(url)
  }

  private func container(_ header: String, data: Data = Data()) -> Data {
    var result = Data()
    let count = UInt64(header.utf8.count)
    for byte in 0..<8 { result.append(UInt8(truncatingIfNeeded: count >> UInt64(8 * byte))) }
    return result + Data(header.utf8) + data
  }

  private func refusal(_ bytes: Data) throws -> String {
    try withFile(bytes) { url in
      do {
        _ = try SafetensorsFile(url: url)
        return "accepted"
      } catch { return "\(error)" }
    }
  }

  @Test("what was written is read back: shapes, floats, integers, metadata")
  func roundTrip() throws {
    let data = SafetensorsWriter.encode(
      [
        .init(name: "b", shape: [2, 2], floats: [1, -2, 3.5, 0]),
        .init(name: "a", shape: [3], integers: [7, -8, 9]),
        .init(name: "empty", shape: [0, 4], floats: []),
      ], metadata: ["who": "test"])
    try withFile(data) { url in
      let file = try SafetensorsFile(url: url)
      #expect(file.metadata == ["who": "test"])
      #expect(file.tensors["b"]?.shape == [2, 2])
      #expect(try file.tensors["b"]?.floats() == [1, -2, 3.5, 0])
      #expect(try file.tensors["a"]?.integers() == [7, -8, 9])
      #expect(try file.tensors["empty"]?.floats() == [])
      #expect(throws: SafetensorsError.self) { try file.tensors["a"]?.floats() }
    }
  }

  @Test("half and bfloat16 values become the floats they stand for")
  func halves() throws {
    // 1, −2, smallest subnormal, largest finite: IEEE 754 binary16; then 1 and −3 in bfloat16.
    let half = Data([0x00, 0x3C, 0x00, 0xC0, 0x01, 0x00, 0xFF, 0x7B])
    let brain = Data([0x80, 0x3F, 0x40, 0xC0])
    let data = SafetensorsWriter.encode([
      .init(name: "h", type: .f16, shape: [4], data: half),
      .init(name: "b", type: .bf16, shape: [2], data: brain),
    ])
    try withFile(data) { url in
      let file = try SafetensorsFile(url: url)
      #expect(try file.tensors["h"]?.floats() == [1, -2, 0x1p-24, 65504])
      #expect(try file.tensors["b"]?.floats() == [1, -3])
    }
  }

  @Test("broken files are refused with what is wrong, and never crash")
  func broken() throws {
    #expect(try refusal(Data([1, 2, 3])).contains("only 3 bytes"))
    #expect(try refusal(container("{}") + Data([0])).contains("belong to no tensor"))
    var huge = Data(repeating: 0xFF, count: 8)
    huge.append(contentsOf: [0x7B, 0x7D])
    #expect(try refusal(huge).contains("header claims"))
    let four = Data(repeating: 0, count: 4)
    func entry(_ type: String, _ shape: String, _ offsets: String) -> Data {
      container(
        "{\"t\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}}", data: four
      )
    }
    #expect(try refusal(entry("F32", "[1]", "[0,4]")) == "accepted")
    #expect(try refusal(entry("F99", "[1]", "[0,4]")).contains("unknown"))
    #expect(try refusal(entry("F32", "[2]", "[0,4]")).contains("needs 8 bytes"))
    #expect(try refusal(entry("F32", "[1]", "[0,8]")).contains("outside"))
    #expect(try refusal(entry("F32", "[1]", "[4,0]")).contains("outside"))
    #expect(try refusal(entry("F32", "[-1]", "[0,4]")).contains("makes no sense"))
    #expect(
      try refusal(entry("F32", "[9223372036854775807,9]", "[0,4]")).contains("makes no sense"))
    #expect(try refusal(entry("F32", "[0]", "[4,4]")).contains("hole"))
    #expect(
      try refusal(
        container(
          """
          {"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},
          "b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}
          """, data: four)
      ).contains("overlaps"))
  }
}
