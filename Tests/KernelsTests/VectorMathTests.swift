import Foundation
import Testing

@testable import Kernels

@Suite("Vector arithmetic")
struct VectorMathTests {
  @Test("exp is within three units in the last place over the whole range")
  func exponentials() {
    for step in -860...870 {
      let x = Float(step) * 0.1
      let found = Double(exponential(SIMD8(repeating: x))[3])
      #expect(abs(found / exp(Double(x)) - 1) < 3.6e-7, "exp of \(x)")
    }
  }

  @Test("erf is within 5e-7")
  func errorFunctions() {
    for step in -60...60 {
      let x = Float(step) * 0.1
      #expect(abs(Double(errorFunction(SIMD8(repeating: x))[0]) - erf(Double(x))) < 5e-7)
    }
  }
}
