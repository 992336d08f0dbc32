import Foundation
import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("Language model's loss")
struct LanguageModelLossTests {
  private let it: LanguageModelGolden

  init() throws { it = try LanguageModelGolden() }

  @Test("losses agree with the reference, with and without text and mask")
  func losses() throws {
    let plain = it.model.makeWorkspace(frames: 9)
    let told = it.model.makeWorkspace(frames: 9, text: 4)
    for track in 0..<4 {
      let found = it.model.loss(of: try it.window(track), it.parameters, plain)
      #expect(abs(found - Double(try it.golden("loss")[track])) < 1e-5)
      let withText = it.model.loss(of: try it.window(track, text: true), it.parameters, told)
      #expect(abs(withText - Double(try it.golden("loss_text")[track])) < 1e-5)
      let masked = it.model.loss(of: try it.window(track, masked: true), it.parameters, plain)
      #expect(abs(masked - Double(try it.golden("loss_masked")[track])) < 1e-5)
    }
  }

  @Test("a mask of everything is none, and the mean over single frames is the whole")
  func masks() throws {
    let w = it.model.makeWorkspace(frames: 9)
    let whole = try it.window(2)
    func loss(_ mask: [Bool]?) -> Double {
      it.model.loss(
        of: LanguageModelLoss.Window(codes: whole.codes, frames: 9, mask: mask), it.parameters, w)
    }
    #expect(loss([Bool](repeating: true, count: 9)) == loss(nil))
    let single = (0..<9).map { frame in loss((0..<9).map { $0 == frame }) }
    #expect(abs(single.reduce(0, +) / 9 / loss(nil) - 1) < 1e-6)
  }
}
