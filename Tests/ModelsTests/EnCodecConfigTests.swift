import Foundation
import Testing

@testable import Models

@Suite("EnCodec configuration")
struct EnCodecConfigTests {
  private func config(_ json: String) throws -> EnCodecConfig {
    try EnCodecConfig(json: Data(json.utf8))
  }

  @Test("the published 32 kHz settings give 640 samples and 4 codebooks of 2048 per step")
  func published() throws {
    let it = try config(
      """
      {"sampling_rate": 32000, "hidden_size": 128, "num_filters": 64, "codebook_size": 2048,
       "upsampling_ratios": [8, 5, 4, 4], "use_causal_conv": false, "use_conv_shortcut": false,
       "target_bandwidths": [2.2], "pad_mode": "reflect", "model_type": "encodec"}
      """)
    #expect(it.hop == 640)
    #expect(it.stepsPerSecond == 50)
    #expect(it.codebooks == 4)
    #expect(it.widest == 1024)
  }

  @Test(
    "what makes no sense or cannot be computed is refused by its name",
    arguments: [
      (#"{"normalize": true}"#, "normalize"), (#"{"norm_type": "time_group_norm"}"#, "norm_type"),
      (#"{"pad_mode": "circular"}"#, "pad_mode"), (#"{"audio_channels": 6}"#, "audio_channels"),
      (#"{"upsampling_ratios": []}"#, "upsampling_ratios"),
      (#"{"upsampling_ratios": [64, 64, 64, 64]}"#, "upsampling_ratios"),
      (#"{"upsampling_ratios": [8, 0]}"#, "upsampling_ratios"),
      (#"{"codebook_size": 1000}"#, "codebook_size"), (#"{"codebook_dim": 64}"#, "codebook_dim"),
      (#"{"compress": 0}"#, "compress"), (#"{"num_filters": -1}"#, "num_filters"),
      (#"{"num_filters": "many"}"#, "num_filters"), (#"{"hidden_size": 1e300}"#, "hidden_size"),
      (#"{"chunk_length_s": 1.0}"#, "chunk_length_s"), (#"{"kernel_size": 0}"#, "kernel_size"),
      (#"{"target_bandwidths": []}"#, "target_bandwidths"),
      (#"{"trim_right_ratio": 2}"#, "trim_right_ratio"), (#"[1, 2]"#, "configuration"),
      (#"{"dilation_growth_rate": 16, "num_residual_layers": 16}"#, "dilation_growth_rate"),
    ])
  func refused(json: String, name: String) throws {
    let error = #expect(throws: EnCodecError.self) { try config(json) }
    #expect(error?.problem.contains(name) == true, "\(error?.problem ?? "")")
  }
}
