// The outside judge: which groups of instruments sound in each second. No part of the generator.
//
// In: mono sound at the judge's rate. Out: a logit per second and group, and an embedding per second. The
// network (log-mel frames, a few 1-D convolutions) is described in `recogniser.json`, its weights and mel matrix
// lie in `recogniser.safetensors`. Source: ours, Training/recogniser.py.

import Audio
import Engine
import Foundation
import Kernels
import Models
import Reporting

/// A recogniser that cannot be used.
enum RecogniserError: Explained {
  case unreadable(folder: String, reason: String)

  var kind: FailureKind { .noInput }
  var problem: String {
    switch self {
    case .unreadable(let folder, let reason):
      "\(printable(folder)) holds no recogniser: \(printable(reason))"
    }
  }
  var remedy: String { "give the folder of recogniser.json with --recogniser" }
}

/// The judge's network.
final class Recogniser {
  /// What it hears in one piece.
  struct Hearing {
    /// One value per second and group (seconds, G); above 0 the group sounds.
    var logits: [[Float]]
    /// One vector per second (seconds, E).
    var embeddings: [[Float]]
  }

  /// Names of the groups (G).
  let groups: [String]
  /// Frames per second that it hears.
  let rate: Int
  /// E.
  let embedding: Int
  /// Names its weights: what was heard by another recogniser is not read back.
  let digest: String

  private struct Description: Decodable {
    struct FrontEnd: Decodable {
      var window: Int
      var hop: Int
    }
    struct Layer: Decodable {
      var tensor: String
      var input: Int
      var output: Int
      var kernel: Int
      var stride: Int
      var dilation: Int
      var padding: Int
    }
    var samplingRate: Int
    var groups: [String]
    var frontEnd: FrontEnd
    var layers: [Layer]
  }

  private struct Layer {
    var shape: Description.Layer
    var weight: [Float]  // (output, input · kernel)
    var bias: [Float]  // (output)
  }

  private let window: [Float]
  private let hop: Int
  private let mel: [Float]  // (bins, bands)
  private let bands: Int
  private let scale: [Float]
  private let shift: [Float]
  private let layers: [Layer]
  private let readWeight: [Float]  // (G, E)
  private let readBias: [Float]
  private let transform: FourierTransform

  /// - Throws: `RecogniserError`, `SafetensorsError`.
  init(folder: URL) throws {
    guard let data = try? Data(contentsOf: folder.appendingPathComponent("recogniser.json")) else {
      throw RecogniserError.unreadable(folder: folder.path, reason: "no recogniser.json")
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let note = try? decoder.decode(Description.self, from: data), !note.layers.isEmpty else {
      throw RecogniserError.unreadable(folder: folder.path, reason: "its description is unknown")
    }
    let place = folder.appendingPathComponent("recogniser.safetensors")
    let store = try TensorStore(file: place)
    digest = String(PresetFiles.digest(try Data(contentsOf: place)).prefix(16))
    groups = note.groups
    rate = note.samplingRate
    hop = note.frontEnd.hop
    let bins = note.frontEnd.window / 2 + 1
    bands = note.layers[0].input
    window = try store.tensor("window", shape: [note.frontEnd.window]).floats()
    mel = try store.tensor("mel", shape: [bins, bands]).floats()
    scale = try store.tensor("input.scale", shape: [bands]).floats()
    shift = try store.tensor("input.shift", shape: [bands]).floats()
    layers = try note.layers.map { layer in
      Layer(
        shape: layer,
        weight: try store.tensor(
          layer.tensor + ".weight", shape: [layer.output, layer.input, layer.kernel]
        ).floats(), bias: try store.tensor(layer.tensor + ".bias", shape: [layer.output]).floats())
    }
    embedding = note.layers[note.layers.count - 1].output
    readWeight = try store.tensor("read.weight", shape: [groups.count, embedding, 1]).floats()
    readBias = try store.tensor("read.bias", shape: [groups.count]).floats()
    transform = FourierTransform(length: note.frontEnd.window)
  }

  /// Listens to mono sound at `rate`; a last part shorter than a second is not judged.
  func hear(_ samples: [Float]) -> Hearing {
    var x = frontEnd(samples)  // (bands, frames)
    var frames = samples.count / hop
    var channels = bands
    for layer in layers {
      x = convolve(x, channels: channels, frames: frames, layer)
      frames =
        (frames + 2 * layer.shape.padding - layer.shape.dilation * (layer.shape.kernel - 1) - 1)
        / layer.shape.stride + 1
      channels = layer.shape.output
    }
    let perSecond = Double(rate) / Double(hop) / Double(layers.reduce(1) { $0 * $1.shape.stride })
    var hearing = Hearing(logits: [], embeddings: [])
    let seconds = Int(Double(frames) / perSecond)
    for second in 0..<seconds {
      let first = Int((perSecond * Double(second)).rounded(.up))
      let last = min(Int((perSecond * Double(second + 1)).rounded(.up)), frames)
      let vector = (0..<channels).map { channel in
        x[channel * frames + first..<channel * frames + last].reduce(0, +) / Float(last - first)
      }
      hearing.embeddings.append(vector)
      hearing.logits.append(
        groups.indices.map { group in
          vector.indices.reduce(readBias[group]) {
            $0 + readWeight[group * channels + $1] * vector[$1]
          }
        })
    }
    return hearing
  }

  /// Log-mel frames, normalised per band (bands, frames): frame t is centred on sample hop · t.
  private func frontEnd(_ samples: [Float]) -> [Float] {
    let frames = samples.count / hop
    let mel = mel
    let half = window.count / 2
    var power = [Float](repeating: 0, count: transform.bins)
    var powers = [Float](repeating: 0, count: frames * transform.bins)  // (frames, bins)
    var block = [Float](repeating: 0, count: window.count)
    for frame in 0..<frames {
      for index in window.indices {
        var place = frame * hop + index - half
        if place < 0 { place = -place }
        if place >= samples.count { place = 2 * (samples.count - 1) - place }
        block[index] = window[index] * samples[min(max(place, 0), samples.count - 1)]
      }
      transform.power(of: block, into: &power)
      powers.replaceSubrange(frame * transform.bins..<(frame + 1) * transform.bins, with: power)
    }
    var energies = [Float](repeating: 0, count: bands * frames)  // (bands, frames)
    do {
      var target = energies.mutableSpan
      matrixProduct(
        mel.span, transposeA: true, powers.span, transposeB: true, m: bands, n: frames,
        k: transform.bins, into: &target)
    }
    for band in 0..<bands {
      for frame in 0..<frames {
        let index = band * frames + frame
        energies[index] = logarithm(energies[index] + 1e-5) * scale[band] + shift[band]
      }
    }
    return energies
  }

  /// One convolution with ReLU; x (channels, frames), padded with zeros.
  private func convolve(_ x: [Float], channels: Int, frames: Int, _ layer: Layer) -> [Float] {
    let shape = layer.shape
    let weight = layer.weight
    let outputs =
      (frames + 2 * shape.padding - shape.dilation * (shape.kernel - 1) - 1) / shape.stride + 1
    let depth = channels * shape.kernel
    var columns = [Float](repeating: 0, count: depth * outputs)  // (channels · kernel, outputs)
    for channel in 0..<channels {
      for tap in 0..<shape.kernel {
        let row = (channel * shape.kernel + tap) * outputs
        for output in 0..<outputs {
          let place = output * shape.stride + tap * shape.dilation - shape.padding
          if place >= 0, place < frames { columns[row + output] = x[channel * frames + place] }
        }
      }
    }
    var y = [Float](repeating: 0, count: shape.output * outputs)
    do {
      var target = y.mutableSpan
      matrixProduct(
        weight.span, columns.span, m: shape.output, n: outputs, k: depth, into: &target)
    }
    for channel in 0..<shape.output {
      for output in 0..<outputs {
        let index = channel * outputs + output
        y[index] = max(y[index] + layer.bias[channel], 0)
      }
    }
    return y
  }

  private func logarithm(_ value: Float) -> Float { Float(Foundation.log(Double(value))) }
}
