// Whether activations are kept for the backward pass, or computed again, by how much memory there is.
//
// What an attribution holds at once: six values per parameter (Θ0, Θ after unlearning, Fisher information,
// gradient, and two lanes of sums), a workspace per gradient lane, and one per scoring thread that keeps a
// single layer. Computing again costs one more forward pass per gradient and changes no number.

import Models

enum MemoryBudget {
  /// Bytes of a run.
  static func bytes(_ model: LossModel, frames: Int, tokens: Int, threads: Int, keepsLayers: Bool)
    -> Int
  {
    24 * model.layout.count
      + LossRunner.lanes * workspace(model, frames: frames, tokens: tokens, keepsLayers)
      + threads * workspace(model, frames: frames, tokens: tokens, false)
  }

  /// Whether layers are kept within `megabytes` (nil: no limit).
  /// - Throws: `AttributionError.badSetting` when it is too little even for one layer at a time.
  static func keepsLayers(
    _ model: LossModel, frames: Int, tokens: Int, threads: Int, megabytes: Int?
  ) throws -> Bool {
    guard let megabytes else { return true }
    func needed(_ keepsLayers: Bool) -> Int {
      let all = bytes(
        model, frames: frames, tokens: tokens, threads: threads, keepsLayers: keepsLayers)
      return (all + 999_999) / 1_000_000
    }
    if needed(true) <= megabytes { return true }
    guard needed(false) <= megabytes else {
      throw AttributionError.badSetting(
        name: "--memory", value: "\(megabytes)",
        expected: "at least \(needed(false)) megabytes here")
    }
    return false
  }

  private static func workspace(_ model: LossModel, frames: Int, tokens: Int, _ keepsLayers: Bool)
    -> Int
  {
    switch model.network {
    case .language(let network):
      network.bytes(frames: frames, text: tokens, keepsLayers: keepsLayers)
    case .diffusion(let network):
      DiffusionWorkspace.bytes(network, frames: frames, tokens: tokens, keepsLayers: keepsLayers)
    }
  }
}
