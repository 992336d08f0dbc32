// The tiny codecs of Tests/Fixtures/EnCodec, and random ones made on the spot.

import Foundation
import Kernels
import TestSupport

@testable import Models

/// A committed model with what the reference computed with it.
struct EnCodecFixture {
  struct Case {
    let samples: [Float]  // (frames, channels)
    let latents: [Float]  // (T, hidden)
    let codes: [Int32]  // (T, K)
    let gaps: [Float]  // (T, K)
    let decoded: [Float]  // (T · hop, channels)
  }

  static let names = ["musicgen", "causal", "odd", "stereo"]

  static func url(_ name: String) -> URL { fixture("EnCodec/encodec-\(name).safetensors") }

  let config: EnCodecConfig
  let codec: EnCodec
  let cases: [Case]

  init(_ name: String) throws {
    let url = Self.url(name)
    let file = try SafetensorsFile(url: url)
    config = try EnCodecConfig(json: Data((file.metadata["config"] ?? "").utf8))
    codec = try EnCodec(config: config, weights: EnCodecWeights(store: TensorStore(file: url)))
    var cases: [Case] = []
    while let samples = file.tensors["case.\(cases.count).samples"] {
      func part(_ name: String) throws -> Tensor {
        guard let tensor = file.tensors["case.\(cases.count).\(name)"] else {
          throw EnCodecError.missing(tensor: name)
        }
        return tensor
      }
      cases.append(
        Case(
          samples: interleaved(try samples.floats(), channels: config.audioChannels),
          latents: try part("latents").floats(), codes: try part("codes").integers(),
          gaps: try part("gap").floats(),
          decoded: interleaved(try part("decoded").floats(), channels: config.audioChannels)))
    }
    self.cases = cases
  }
}

/// (channels, frames) as (frames, channels).
func interleaved(_ planes: [Float], channels: Int) -> [Float] {
  let frames = planes.count / channels
  return (0..<planes.count).map { planes[$0 % channels * frames + $0 / channels] }
}

/// max |a − b| / max |b|.
func relativeError(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  let largest = b.reduce(0) { max($0, abs($1)) }
  let difference = zip(a, b).reduce(Float(0)) {
    $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
  }
  return difference == 0 ? 0 : difference / largest
}

/// A codec with random weights of about the right size for signals to keep their loudness.
func randomCodec(_ config: EnCodecConfig, books: Int = 4, seed: UInt64 = 1) throws -> EnCodec {
  try EnCodec(config: config, weights: randomWeights(config, books: books, seed: seed))
}

/// Tensors for a configuration: whatever name is asked for first, with the shape that fits.
func randomWeights(_ config: EnCodecConfig, books: Int, seed: UInt64) -> EnCodecWeights {
  let shapes = EnCodecShapes(config: config, books: books)
  return EnCodecWeights { name in
    guard let shape = shapes.shapes[name] else { return nil }
    var random = TestRandom(seed: name.utf8.reduce(seed) { $0 &* 31 &+ UInt64($1) })
    let fan = shape.dropFirst().reduce(1, *)
    let scale = name.contains("embed") ? 1 : 1 / Float(max(fan, 16)).squareRoot()
    let values = random.normal(shape.reduce(1, *), scale: scale)
    return (shape, { values })
  }
}

/// The shapes of all tensors that a configuration asks for, with plain weights.
struct EnCodecShapes {
  var shapes: [String: [Int]] = [:]

  init(config: EnCodecConfig, books: Int) {
    for book in 0..<books {
      shapes["audio_encoder.quantizer.layers.\(book).codebook.embed"] = [
        config.codebookSize, config.hiddenSize,
      ]
    }
    var number = 0
    func convolution(_ name: String, _ shape: [Int], transposed: Bool = false) {
      shapes["audio_encoder.\(name).conv.weight"] = shape
      shapes["audio_encoder.\(name).conv.bias"] = [transposed ? shape[1] : shape[0]]
    }
    func lstm(_ side: String, _ width: Int) {
      for layer in 0..<config.lstmLayers {
        let name = "audio_encoder.\(side).layers.\(number).lstm"
        shapes["\(name).weight_ih_l\(layer)"] = [4 * width, width]
        shapes["\(name).weight_hh_l\(layer)"] = [4 * width, width]
        shapes["\(name).bias_ih_l\(layer)"] = [4 * width]
        shapes["\(name).bias_hh_l\(layer)"] = [4 * width]
      }
    }
    func residuals(_ side: String, _ width: Int) {
      for _ in 0..<config.residualLayers {
        let hidden = width / config.compress
        convolution(
          "\(side).layers.\(number).block.1", [hidden, width, config.residualKernelSize])
        convolution("\(side).layers.\(number).block.3", [width, hidden, 1])
        if config.useConvolutionShortcut {
          convolution("\(side).layers.\(number).shortcut", [width, width, 1])
        }
        number += 1
      }
    }
    var width = config.filters
    convolution("encoder.layers.0", [width, config.audioChannels, config.kernelSize])
    number = 1
    for ratio in config.upsamplingRatios.reversed() {
      residuals("encoder", width)
      number += 1
      convolution("encoder.layers.\(number)", [2 * width, width, 2 * ratio])
      number += 1
      width *= 2
    }
    lstm("encoder", width)
    number += 2
    convolution("encoder.layers.\(number)", [config.hiddenSize, width, config.lastKernelSize])
    convolution("decoder.layers.0", [width, config.hiddenSize, config.kernelSize])
    number = 1
    lstm("decoder", width)
    number += 1
    for ratio in config.upsamplingRatios {
      number += 1
      convolution("decoder.layers.\(number)", [width, width / 2, 2 * ratio], transposed: true)
      number += 1
      width /= 2
      residuals("decoder", width)
    }
    number += 1
    convolution("decoder.layers.\(number)", [config.audioChannels, width, config.lastKernelSize])
  }
}
