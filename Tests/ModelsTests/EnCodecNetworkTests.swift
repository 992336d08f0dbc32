import Kernels
import TestSupport
import Testing

@testable import Models

@Suite("EnCodec network")
struct EnCodecNetworkTests {
  private func sides(_ name: String) throws -> [(String, EnCodecNetwork, EnCodec)] {
    let codec = try EnCodecFixture(name).codec
    return [("encoder", codec.encoder, codec), ("decoder", codec.decoder, codec)]
  }

  @Test("every layer takes what the one before it gives", arguments: EnCodecFixture.names)
  func chain(name: String) throws {
    for (side, network, codec) in try sides(name) {
      let config = codec.config
      for (layer, next) in zip(network.layers, network.layers.dropFirst()) {
        #expect(layer.outputChannels == next.inputChannels, "\(side)")
      }
      let (first, last) = (
        network.layers.first?.inputChannels, network.layers.last?.outputChannels
      )
      #expect(
        side == "encoder"
          ? (first == config.audioChannels && last == config.hiddenSize)
          : (first == config.hiddenSize && last == config.audioChannels))
    }
  }

  @Test("strides multiply to the hop, down and up", arguments: EnCodecFixture.names)
  func hop(name: String) throws {
    for (side, network, codec) in try sides(name) {
      let down = network.layers.reduce(1) { $0 * $1.stride }
      let up = network.layers.reduce(1) { $0 * $1.rowsPerOutput }
      #expect(side == "encoder" ? (down, up) == (codec.hop, 1) : (down, up) == (1, codec.hop))
    }
  }

  @Test("a causal codec pads nothing behind the signal", arguments: EnCodecFixture.names)
  func causality(name: String) throws {
    for (side, network, codec) in try sides(name) {
      let isCausal = codec.config.useCausalConvolution
      for layer in network.layers {
        if case .transposed = layer.operation { continue }
        if isCausal { #expect(layer.after == 0, "\(side)") }
        #expect(layer.before >= layer.after)
        // All windows together cover the signal and its padding.
        #expect(layer.before + layer.after == max(0, layer.reach - layer.stride))
      }
    }
  }

  @Test("ELU stands behind every layer but those into the LSTM and out of the network")
  func activations() throws {
    for (side, network, _) in try sides("musicgen") {
      for (place, layer) in network.layers.enumerated() {
        let next = place + 1 < network.layers.count ? network.layers[place + 1] : nil
        // A residual block and an LSTM keep the plain rows for their skip.
        let needsPlain: Bool
        switch next?.operation {
        case .residual?, .lstm?, nil: needsPlain = true
        default: needsPlain = false
        }
        #expect(layer.activate == !needsPlain, "\(side) \(place)")
      }
    }
  }

  @Test(
    "rows that are final and rows that are needed for it are each other's inverse",
    arguments: EnCodecFixture.names)
  func counting(name: String) throws {
    for (side, network, _) in try sides(name) {
      for (place, layer) in network.layers.enumerated() {
        for rows in 40...90 {
          let final = layer.finalRows(after: rows)
          #expect(layer.neededRows(for: final) <= rows, "\(side) \(place)")
          #expect(layer.neededRows(for: final + 1) > rows, "\(side) \(place)")
        }
      }
    }
  }

  @Test("the stream gives as many rows as the layers promise", arguments: EnCodecFixture.names)
  func promise(name: String) throws {
    let codec = try EnCodecFixture(name).codec
    let width = codec.config.hiddenSize
    let pool = ComputePool()
    var random = TestRandom(seed: 1)
    let latents = random.normal(30 * width)
    let stream = EnCodecStream(network: codec.decoder, blockRows: 30)
    var sound = [Float](repeating: 0, count: 30 * codec.hop * codec.config.audioChannels)
    var target = sound.mutableSpan
    let written = stream.push(latents.span, count: 30, into: &target, pool: pool)
    #expect(written == codec.decoder.layers.reduce(30) { $1.finalRows(after: $0) })
  }

  @Test("a tensor that is not there is named")
  func missing() throws {
    var config = EnCodecConfig()
    config.filters = 2
    config.hiddenSize = 4
    config.codebookDimension = 4
    config.codebookSize = 4
    config.upsamplingRatios = [3, 2]
    config.samplingRate = 600
    config.targetBandwidths = [0.4]
    let none = EnCodecWeights { _ in nil }
    for side in ["encoder", "decoder"] {
      do {
        _ =
          side == "encoder"
          ? try EnCodecNetwork.encoder(config: config, weights: none)
          : try EnCodecNetwork.decoder(config: config, weights: none, compact: false)
        Issue.record("the \(side) was made of nothing")
      } catch let error as EnCodecError { #expect(error.problem.contains("\(side).layers.0")) }
    }
  }
}
