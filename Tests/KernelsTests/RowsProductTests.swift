import Kernels
import Testing

@Suite("Strided products")
struct RowsProductTests {
  @Test("reads and writes only its own columns")
  func columns() {
    // The middle two columns of a (3, 4) matrix times the identity, into columns 1 and 2.
    let a = FloatBuffer((0..<12).map { Float($0) })
    let identity = FloatBuffer([1, 0, 0, 1])
    var c = FloatBuffer([Float](repeating: 7, count: 12))
    var span = c.mutableSpan
    stridedProduct(
      a.span, Rows(stride: 4).shifted(1), identity.span, Rows(stride: 2), m: 3, n: 2, k: 2,
      into: &span, Rows(stride: 4).shifted(1))
    #expect(c.array() == [7, 1, 2, 7, 7, 5, 6, 7, 7, 9, 10, 7])
  }
}
