// The model's own music as training material: what “generated” means for the trait “recorded”.

import Foundation
import Kernels
import Models

/// Items of music that the model makes from prompts, without text and without steering.
struct OwnOutput {
  let model: LanguageModel
  /// Steps of a segment.
  var frames: Int
  /// Segments taken from each piece.
  var perItem: Int
  var seed: UInt64
  let pool: ComputePool

  /// Pieces that are made side by side.
  static let atOnce = 16

  /// One item per prompt (T, K): segments of what the model makes behind it, value 0. The prompt itself
  /// belongs to no segment. Every piece is made once, with `atOnce` others, when the first is asked for.
  func items(prompts: [(track: String, side: ProbeItem.Side?, codes: [Int32])], key: String)
    -> [ProbeItem]
  {
    let blocks = stride(from: 0, to: prompts.count, by: Self.atOnce).map { start in
      Block(
        prompts: prompts[start..<min(start + Self.atOnce, prompts.count)].map(\.codes),
        first: start, own: self)
    }
    return prompts.enumerated().map { index, prompt in
      ProbeItem(
        track: prompt.track, side: prompt.side,
        key: "\(key)\nown output \(index), \(frames) steps, \(perItem), seed \(seed)",
        segments: {
          let codes = blocks[index / Self.atOnce].pieces()[index % Self.atOnce]
          let width = frames * model.config.codebooks
          return (0..<perItem).map {
            ProbeSegment(codes: Array(codes[$0 * width..<($0 + 1) * width]), value: 0)
          }
        })
    }
  }

  private final class Block {
    private let prompts: [[Int32]]
    private let first: Int
    private let own: OwnOutput
    private var made: [[Int32]]?

    init(prompts: [[Int32]], first: Int, own: OwnOutput) {
      self.prompts = prompts
      self.first = first
      self.own = own
    }

    /// New codes (perItem · frames, K) behind each prompt.
    func pieces() -> [[Int32]] {
      if let made { return made }
      let wanted = own.frames * own.perItem
      let K = own.model.config.codebooks
      let generators = prompts.enumerated().map { index, prompt in
        CodeGenerator(
          model: own.model, prompt: prompt,
          settings: SamplingSettings(seed: own.seed &+ UInt64(first + index)), pool: own.pool)
      }
      while generators.contains(where: { $0.wholeFrames < $0.promptFrames + wanted }) {
        CodeGenerator.step(generators)
      }
      let result = generators.map { $0.codes($0.promptFrames..<$0.promptFrames + wanted) }
      precondition(result.allSatisfy { $0.count == wanted * K })
      made = result
      return result
    }
  }
}
