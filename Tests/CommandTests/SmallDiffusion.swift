// A small diffusion model for the tests of commands.

import Foundation
import HouseModel
import Models
import TestSupport

/// Writes it.
enum SmallDiffusion {
  /// A transformer of random weights for the house model's codec and text encoder.
  static func write(to place: URL) throws {
    let house = try MusicGenConfig(folder: HouseModel.resources.appendingPathComponent("house"))
    try writeRandomDiffusion(
      to: place,
      arguments: [
        "io_channels": try EnCodecConfig(json: house.audioEncoder).hiddenSize, "embed_dim": 128,
        "depth": 1, "num_heads": 4, "cond_token_dim": house.text.width,
      ], rate: 50)
  }
}
