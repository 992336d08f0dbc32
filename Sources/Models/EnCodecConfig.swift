// The settings of an EnCodec model, as `config.json` of a checkpoint names them.
//
// Source: transformers' EncodecConfig (published code); names and defaults are its own.

package import Foundation
internal import Kernels

/// Settings of an EnCodec model. Fields bear the checkpoint's names in Swift's spelling.
package struct EnCodecConfig: Sendable, Equatable, Decodable {
  /// Samples per second and channel.
  package var samplingRate = 24_000
  package var audioChannels = 1
  package var normalize = false
  package var chunkLengthSeconds: Double?
  /// Width of the latent rows.
  package var hiddenSize = 128
  /// Channels at the audio's own rate.
  package var filters = 32
  package var residualLayers = 1
  /// The decoder's strides from latent to audio; the encoder's are the same, last first.
  package var upsamplingRatios = [8, 5, 4, 2]
  package var normType = "weight_norm"
  package var kernelSize = 7
  package var lastKernelSize = 7
  package var residualKernelSize = 3
  package var dilationGrowthRate = 2
  package var useCausalConvolution = true
  package var padMode = "reflect"
  package var compress = 2
  package var lstmLayers = 2
  package var trimRightRatio = 1.0
  /// Entries per codebook (V).
  package var codebookSize = 1024
  package var codebookDimension = 128
  package var useConvolutionShortcut = true
  /// Kilobits per second; the first one tells how many codebooks are used.
  package var targetBandwidths = [1.5, 3, 6, 12, 24]

  /// The defaults of the published 24 kHz model.
  package init() {}

  private enum Key: String, CodingKey {
    case samplingRate = "sampling_rate"
    case audioChannels = "audio_channels"
    case normalize
    case chunkLengthSeconds = "chunk_length_s"
    case hiddenSize = "hidden_size"
    case filters = "num_filters"
    case residualLayers = "num_residual_layers"
    case upsamplingRatios = "upsampling_ratios"
    case normType = "norm_type"
    case kernelSize = "kernel_size"
    case lastKernelSize = "last_kernel_size"
    case residualKernelSize = "residual_kernel_size"
    case dilationGrowthRate = "dilation_growth_rate"
    case useCausalConvolution = "use_causal_conv"
    case padMode = "pad_mode"
    case compress
    case lstmLayers = "num_lstm_layers"
    case trimRightRatio = "trim_right_ratio"
    case codebookSize = "codebook_size"
    case codebookDimension = "codebook_dim"
    case useConvolutionShortcut = "use_conv_shortcut"
    case targetBandwidths = "target_bandwidths"
  }

  /// Reads the object `audio_encoder` of a checkpoint's `config.json`; what it lacks has the defaults
  /// of the published code. Call `check` before use.
  package init(from decoder: any Decoder) throws {
    let table = try decoder.container(keyedBy: Key.self)
    func read<T: Decodable>(_ value: inout T, _ key: Key) throws {
      do {
        if let found = try table.decodeIfPresent(T.self, forKey: key) { value = found }
      } catch {
        throw EnCodecError.badSetting(
          setting: key.rawValue, value: "not a value of type \(T.self)", reason: "it cannot be read"
        )
      }
    }
    try read(&samplingRate, .samplingRate)
    try read(&audioChannels, .audioChannels)
    try read(&normalize, .normalize)
    try read(&chunkLengthSeconds, .chunkLengthSeconds)
    try read(&hiddenSize, .hiddenSize)
    try read(&filters, .filters)
    try read(&residualLayers, .residualLayers)
    try read(&upsamplingRatios, .upsamplingRatios)
    try read(&normType, .normType)
    try read(&kernelSize, .kernelSize)
    try read(&lastKernelSize, .lastKernelSize)
    try read(&residualKernelSize, .residualKernelSize)
    try read(&dilationGrowthRate, .dilationGrowthRate)
    try read(&useCausalConvolution, .useCausalConvolution)
    try read(&padMode, .padMode)
    try read(&compress, .compress)
    try read(&lstmLayers, .lstmLayers)
    try read(&trimRightRatio, .trimRightRatio)
    try read(&codebookSize, .codebookSize)
    codebookDimension = hiddenSize
    try read(&codebookDimension, .codebookDimension)
    try read(&useConvolutionShortcut, .useConvolutionShortcut)
    try read(&targetBandwidths, .targetBandwidths)
  }

  /// Reads and checks the object `audio_encoder` of a `config.json`.
  /// - Throws: `EnCodecError`.
  package init(json: Data) throws {
    do { self = try JSONDecoder().decode(EnCodecConfig.self, from: json) } catch {
      throw error as? EnCodecError
        ?? .badSetting(
          setting: "configuration", value: "not a JSON object", reason: "it cannot be read")
    }
    try check()
  }

  /// Samples per step and channel.
  package var hop: Int { upsamplingRatios.reduce(1, *) }

  /// Steps per second, rounded up as the published code does.
  package var stepsPerSecond: Int { (samplingRate + hop - 1) / hop }

  /// Codebooks of the first target bandwidth (K): what the reference uses when it is told nothing else.
  package var codebooks: Int {
    let bitsPerSecond = (targetBandwidths.first ?? 0) * 1000
    return max(1, Int(bitsPerSecond / (log2(Double(codebookSize)) * Double(stepsPerSecond))))
  }

  /// Channels of the rows at the latent's rate, in the LSTM.
  package var widest: Int { filters << upsamplingRatios.count }

  /// Checks that every setting makes sense and is one that this program computes.
  /// - Throws: `EnCodecError.badSetting`, `.unsupported`.
  package func check() throws {
    func limit(_ value: Int, _ range: ClosedRange<Int>, _ key: Key) throws {
      guard range.contains(value) else {
        throw EnCodecError.badSetting(
          setting: key.rawValue, value: "\(value)",
          reason: "it must lie in \(range.lowerBound) … \(range.upperBound)")
      }
    }
    func refuse(_ key: Key, _ value: String, _ reason: String) -> EnCodecError {
      .unsupported(setting: key.rawValue, value: value, reason: reason)
    }
    try limit(samplingRate, 1...1_000_000, .samplingRate)
    try limit(audioChannels, 1...2, .audioChannels)
    try limit(hiddenSize, 1...65_536, .hiddenSize)
    try limit(filters, 1...4_096, .filters)
    try limit(residualLayers, 0...16, .residualLayers)
    try limit(upsamplingRatios.count, 1...8, .upsamplingRatios)
    for ratio in upsamplingRatios { try limit(ratio, 1...64, .upsamplingRatios) }
    try limit(hop, 1...65_536, .upsamplingRatios)
    try limit(kernelSize, 1...255, .kernelSize)
    try limit(lastKernelSize, 1...255, .lastKernelSize)
    try limit(residualKernelSize, 1...255, .residualKernelSize)
    try limit(dilationGrowthRate, 1...16, .dilationGrowthRate)
    let widestDilation = (1..<max(1, residualLayers)).reduce(1) { product, _ in
      min(product * dilationGrowthRate, 1 << 20)
    }
    try limit(widestDilation, 1...4_096, .dilationGrowthRate)
    try limit(compress, 1...filters, .compress)
    try limit(lstmLayers, 1...16, .lstmLayers)
    try limit(codebookSize, 2...65_536, .codebookSize)
    guard codebookSize & (codebookSize - 1) == 0 else {
      throw EnCodecError.badSetting(
        setting: Key.codebookSize.rawValue, value: "\(codebookSize)",
        reason: "it must be a power of two")
    }
    guard codebookDimension == hiddenSize else {
      throw EnCodecError.badSetting(
        setting: Key.codebookDimension.rawValue, value: "\(codebookDimension)",
        reason: "it must equal hidden_size, \(hiddenSize)")
    }
    guard let bandwidth = targetBandwidths.first, bandwidth > 0, bandwidth < 1_000_000 else {
      throw EnCodecError.badSetting(
        setting: Key.targetBandwidths.rawValue, value: "\(targetBandwidths)",
        reason: "its first entry must be a positive number of kilobits per second")
    }
    guard trimRightRatio >= 0, trimRightRatio <= 1, useCausalConvolution || trimRightRatio == 1
    else {
      throw EnCodecError.badSetting(
        setting: Key.trimRightRatio.rawValue, value: "\(trimRightRatio)",
        reason: "it must lie in 0 … 1, and be 1 for convolutions that are not causal")
    }
    guard Padding(rawValue: padMode) != nil else {
      throw refuse(.padMode, padMode, "known are reflect, constant and replicate")
    }
    guard normType == "weight_norm" else {
      throw refuse(.normType, normType, "it needs the whole clip at once and cannot be streamed")
    }
    guard !normalize else {
      throw refuse(.normalize, "true", "it needs the whole clip's loudness and cannot be streamed")
    }
    guard chunkLengthSeconds == nil else {
      throw refuse(
        .chunkLengthSeconds, "\(chunkLengthSeconds ?? 0)",
        "clips are coded in one piece, without overlapping chunks")
    }
  }
}
