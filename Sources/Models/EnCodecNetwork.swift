// SEANet, the convolutional network on both sides of EnCodec's latent.
//
// Rows in, rows out, (T, C); ELU stands before every convolution but the first. A layer here is what
// has an input window of its own: a convolution, a transposed convolution, the LSTM with its skip, a
// residual block. Source: transformers' EncodecEncoder and EncodecDecoder (published code); layer numbers
// in tensor names count the ELUs too.

internal import Kernels

/// One side of the codec: its layers with their weights. Immutable and shared by all streams.
struct EnCodecNetwork: Sendable {
  enum Operation: Sendable {
    case convolution(Convolution)
    /// Trims so many output rows at the beginning and at the end of the signal.
    case transposed(TransposedConvolution, trimStart: Int, trimEnd: Int)
    case lstm([LSTMLayer])
    case residual(ResidualBlock)
  }

  /// x + second(ELU(first(ELU(x)))), with a convolution on x where `shortcut` is given.
  struct ResidualBlock: Sendable {
    let first: Convolution
    let second: Convolution
    let shortcut: Convolution?
  }

  struct Layer: Sendable {
    let operation: Operation
    /// Rows of padding before and after the signal.
    let before: Int
    let after: Int
    let padding: Padding
    /// Whether ELU follows, for the next layer's sake.
    let activate: Bool

    /// Numbers per input row.
    var inputChannels: Int {
      switch operation {
      case .convolution(let it): it.inputChannels
      case .transposed(let it, _, _): it.inputChannels
      case .lstm(let layers): layers[0].width
      case .residual(let it): it.first.inputChannels
      }
    }

    /// Numbers per output row.
    var outputChannels: Int {
      switch operation {
      case .convolution(let it): it.outputChannels
      case .transposed(let it, _, _): it.outputChannels
      case .lstm(let layers): layers[0].width
      case .residual(let it): it.second.outputChannels
      }
    }

    /// Rows of input that one computation looks at.
    var reach: Int {
      switch operation {
      case .convolution(let it): it.reach
      case .transposed(let it, _, _): it.blocks.reach
      case .lstm: 1
      case .residual(let it): it.first.reach
      }
    }

    /// Rows from one computation to the next.
    var stride: Int {
      if case .convolution(let it) = operation { return it.stride }
      return 1
    }

    /// Output rows of one computation.
    var rowsPerOutput: Int {
      if case .transposed(let it, _, _) = operation { return it.stride }
      return 1
    }

    /// Output rows that are final once `rows` rows have come, far from both ends.
    func finalRows(after rows: Int) -> Int {
      if case .transposed(let it, let trimStart, _) = operation {
        return rows * it.stride - trimStart
      }
      return (rows + before - reach) / stride + 1
    }

    /// Input rows that must have come for `rows` output rows to be final, far from both ends.
    func neededRows(for rows: Int) -> Int {
      if case .transposed(let it, let trimStart, _) = operation {
        return (rows + trimStart + it.stride - 1) / it.stride
      }
      return (rows - 1) * stride + reach - before
    }
  }

  let layers: [Layer]
}

extension EnCodecNetwork {
  /// Reads layers one after the other, counting as the checkpoint does.
  private struct Reader {
    let config: EnCodecConfig
    let weights: EnCodecWeights
    let side: String
    /// Keeps weights in 16 bits.
    let compact: Bool
    var number = 0
    var layers: [Layer] = []

    var padding: Padding { Padding(rawValue: config.padMode) ?? .constant }

    func convolution(
      _ name: String, from inputs: Int, to outputs: Int, taps: Int, stride: Int = 1,
      dilation: Int = 1
    ) throws -> Convolution {
      Convolution(
        weights: try weights.readWeight(name, shape: [outputs, inputs, taps]),
        bias: try weights.read(name + ".bias", shape: [outputs]), inputChannels: inputs,
        outputChannels: outputs, taps: taps, stride: stride, dilation: dilation,
        compact: compact)
    }

    /// Padding of a convolution: all before when causal, else the larger half before.
    func paddings(_ it: Convolution) -> (before: Int, after: Int) {
      // A kernel of one tap with a stride is not in SEANet, so the total is never negative.
      let total = max(0, it.reach - it.stride)
      let after = config.useCausalConvolution ? 0 : total / 2
      return (total - after, after)
    }

    mutating func addConvolution(
      from inputs: Int, to outputs: Int, taps: Int, stride: Int = 1, activate: Bool
    ) throws {
      let it = try convolution(
        "\(side).layers.\(number).conv", from: inputs, to: outputs, taps: taps, stride: stride)
      let (before, after) = paddings(it)
      layers.append(
        Layer(
          operation: .convolution(it), before: before, after: after, padding: padding,
          activate: activate))
      number += 1
    }

    mutating func addTransposed(from inputs: Int, to outputs: Int, stride: Int, activate: Bool)
      throws
    {
      let name = "\(side).layers.\(number).conv"
      let it = TransposedConvolution(
        weights: try weights.readWeight(name, shape: [inputs, outputs, 2 * stride]),
        bias: try weights.read(name + ".bias", shape: [outputs]), inputChannels: inputs,
        outputChannels: outputs, stride: stride, compact: compact)
      let end =
        config.useCausalConvolution
        ? Int((Double(stride) * config.trimRightRatio).rounded(.up)) : stride / 2
      layers.append(
        Layer(
          operation: .transposed(it, trimStart: stride - end, trimEnd: end), before: 1, after: 1,
          padding: .constant, activate: activate))
      number += 1
    }

    mutating func addLSTM(width: Int) throws {
      let name = "\(side).layers.\(number).lstm"
      let stack = try (0..<config.lstmLayers).map { layer in
        let inputBias = try weights.read("\(name).bias_ih_l\(layer)", shape: [4 * width])
        let hiddenBias = try weights.read("\(name).bias_hh_l\(layer)", shape: [4 * width])
        return LSTMLayer(
          inputWeights: try weights.read("\(name).weight_ih_l\(layer)", shape: [4 * width, width]),
          recurrentWeights: try weights.read(
            "\(name).weight_hh_l\(layer)", shape: [4 * width, width]),
          bias: zip(inputBias, hiddenBias).map { $0 + $1 }, width: width, compact: compact)
      }
      layers.append(
        Layer(operation: .lstm(stack), before: 0, after: 0, padding: .constant, activate: true))
      number += 1
    }

    /// The residual blocks of one scale. `activateLast`: ELU follows the last.
    mutating func addResiduals(width: Int) throws {
      var dilation = 1
      for _ in 0..<config.residualLayers {
        let name = "\(side).layers.\(number)"
        let hidden = width / config.compress
        let block = ResidualBlock(
          first: try convolution(
            name + ".block.1.conv", from: width, to: hidden, taps: config.residualKernelSize,
            dilation: dilation),
          second: try convolution(name + ".block.3.conv", from: hidden, to: width, taps: 1),
          shortcut: config.useConvolutionShortcut
            ? try convolution(name + ".shortcut.conv", from: width, to: width, taps: 1) : nil)
        let (before, after) = paddings(block.first)
        let isLast = number == firstOfScale + config.residualLayers - 1
        layers.append(
          Layer(
            operation: .residual(block), before: before, after: after, padding: padding,
            activate: isLast))
        dilation *= config.dilationGrowthRate
        number += 1
      }
    }

    var firstOfScale = 0
  }

  /// The encoder: samples (T · hop, audioChannels) to latents (T, hiddenSize).
  static func encoder(config: EnCodecConfig, weights: EnCodecWeights) throws -> EnCodecNetwork {
    var reader = Reader(config: config, weights: weights, side: "encoder", compact: false)
    let hasResiduals = config.residualLayers > 0
    var width = config.filters
    try reader.addConvolution(
      from: config.audioChannels, to: width, taps: config.kernelSize, activate: !hasResiduals)
    for (index, ratio) in config.upsamplingRatios.reversed().enumerated() {
      reader.firstOfScale = reader.number
      try reader.addResiduals(width: width)
      reader.number += 1
      let isLast = index == config.upsamplingRatios.count - 1
      try reader.addConvolution(
        from: width, to: 2 * width, taps: 2 * ratio, stride: ratio,
        activate: !hasResiduals && !isLast)
      width *= 2
    }
    try reader.addLSTM(width: width)
    reader.number += 1
    try reader.addConvolution(
      from: width, to: config.hiddenSize, taps: config.lastKernelSize, activate: false)
    return EnCodecNetwork(layers: reader.layers)
  }

  /// The decoder: latents (T, hiddenSize) to samples (T · hop, audioChannels).
  ///
  /// - Parameter compact: keeps the weights in 16 bits with one scale per output.
  static func decoder(config: EnCodecConfig, weights: EnCodecWeights, compact: Bool) throws
    -> EnCodecNetwork
  {
    var reader = Reader(config: config, weights: weights, side: "decoder", compact: compact)
    var width = config.widest
    try reader.addConvolution(
      from: config.hiddenSize, to: width, taps: config.kernelSize, activate: false)
    try reader.addLSTM(width: width)
    for ratio in config.upsamplingRatios {
      reader.number += 1
      try reader.addTransposed(
        from: width, to: width / 2, stride: ratio, activate: config.residualLayers == 0)
      width /= 2
      reader.firstOfScale = reader.number
      try reader.addResiduals(width: width)
    }
    reader.number += 1
    try reader.addConvolution(
      from: width, to: config.audioChannels, taps: config.lastKernelSize, activate: false)
    return EnCodecNetwork(layers: reader.layers)
  }
}
