import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Residual quantiser")
struct ResidualQuantiserTests {
  private func encode(_ quantiser: ResidualQuantiser, _ latents: [Float], books: Int) -> [Int32] {
    let count = latents.count / quantiser.width
    var codes = [Int32](repeating: -1, count: count * books)
    var workspace = [Float](repeating: .nan, count: quantiser.workspaceCount)
    var output = codes.mutableSpan
    var scratch = workspace.mutableSpan
    quantiser.encode(
      latents.span, count: count, books: books, into: &output, workspace: &scratch,
      pool: ComputePool())
    return codes
  }

  @Test("finds the nearest entry of what is left, book after book")
  func nearest() {
    var random = TestRandom(seed: 12)
    let (width, cardinality, books) = (7, 33, 3)
    let entries = (0..<books).map { _ in random.normal(cardinality * width) }
    let quantiser = ResidualQuantiser(entries: entries, cardinality: cardinality, width: width)
    let count = 150
    let latents = random.normal(count * width)
    let codes = encode(quantiser, latents, books: books)
    #expect(encode(quantiser, latents, books: 2).count == count * 2)
    for row in 0..<count {
      var rest = latents[row * width..<(row + 1) * width].map { Double($0) }
      for book in 0..<books {
        // The slow twin: all differences squared, in double precision.
        let distances = (0..<cardinality).map { code in
          (0..<width).reduce(0.0) { sum, i in
            let d = rest[i] - Double(entries[book][code * width + i])
            return sum + d * d
          }
        }
        let code = Int(codes[row * books + book])
        #expect(distances[code] <= (distances.min() ?? 0) * (1 + 1e-5) + 1e-6)
        for i in 0..<width { rest[i] -= Double(entries[book][code * width + i]) }
      }
    }
  }

  @Test("takes the first of equally near entries, and codes entries as themselves")
  func ties() {
    let quantiser = ResidualQuantiser(
      entries: [[1, 0, 0, 1, 1, 0, 0, 0]], cardinality: 4, width: 2)
    #expect(encode(quantiser, [1, 0, 0, 1, 0, 0], books: 1) == [0, 1, 3])
  }

  @Test("sums the entries of the codes, and refuses codes that there are not")
  func decode() throws {
    let quantiser = ResidualQuantiser(
      entries: [[1, 2, 3, 4], [10, 20, 30, 40]], cardinality: 2, width: 2)
    var latents = [Float](repeating: .nan, count: 4)
    var output = latents.mutableSpan
    let codes: [Int32] = [0, 1, 1, 0]
    quantiser.decode(codes.span, count: 2, books: 2, into: &output)
    #expect(latents == [31, 42, 13, 24])
    try quantiser.check(codes, books: 2)
    #expect(throws: EnCodecError.self) { try quantiser.check([0, 2], books: 2) }
    #expect(throws: EnCodecError.self) { try quantiser.check([-1, 0], books: 2) }
  }
}
