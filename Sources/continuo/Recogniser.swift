// The outside judge: which groups of instruments sound in each second. No part of the generator.
//
// In: mono sound at the judge's rate. Out: a logit per second and group, and an embedding per second. The
// network (log-mel frames, convolutions over bands and frames, then over frames alone) is described in `recogniser.json`,
// its weights and mel matrix lie in `recogniser.safetensors`. Source: ours, Training/recogniser.py.

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
    /// A convolution over frames.
    struct Layer: Decodable {
      var tensor: String
      var input: Int
      var output: Int
      var kernel: Int
      var stride: Int
      var dilation: Int
      var padding: Int

      var convolution: PlaneConvolution {
        PlaneConvolution(
          input: input, output: output, kernel: (1, kernel), stride: (1, stride),
          padding: (0, padding), dilation: dilation)
      }
    }
    /// A convolution over bands and frames; pairs are (bands, frames).
    struct Plane: Decodable {
      var tensor: String
      var input: Int
      var output: Int
      var kernel: [Int]
      var stride: [Int]
      var padding: [Int]

      /// Nil where a pair is none.
      var convolution: PlaneConvolution? {
        guard [kernel, stride, padding].allSatisfy({ $0.count == 2 }) else { return nil }
        return PlaneConvolution(
          input: input, output: output, kernel: (kernel[0], kernel[1]),
          stride: (stride[0], stride[1]), padding: (padding[0], padding[1]))
      }
    }
    var samplingRate: Int
    var groups: [String]
    var frontEnd: FrontEnd
    /// Absent in recognisers that look at frames alone.
    var planes: [Plane]?
    var layers: [Layer]
  }

  private let window: [Float]
  private let hop: Int
  private let mel: [Float]  // (bins, bands)
  private let bands: Int
  private let scale: [Float]
  private let shift: [Float]
  private let planes: [PlaneConvolution]
  private let layers: [PlaneConvolution]
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
    func tensors(_ layer: PlaneConvolution, _ name: String, _ shape: [Int]) throws
      -> PlaneConvolution
    {
      var layer = layer
      layer.weight = try store.tensor(name + ".weight", shape: shape).floats()
      layer.bias = try store.tensor(name + ".bias", shape: [layer.output]).floats()
      return layer
    }
    let described = (note.planes ?? []).map { ($0.tensor, $0.convolution) }
    bands = described.isEmpty ? note.layers[0].input : store.tensors["mel"]?.shape.last ?? 0
    guard note.frontEnd.window >= 2, note.frontEnd.window.isMultiple(of: 2),
      note.frontEnd.hop > 0, note.samplingRate > 0,
      Self.fit(described.map(\.1), note.layers.map(\.convolution), bands: bands)
    else {
      throw RecogniserError.unreadable(
        folder: folder.path, reason: "its layers do not fit together")
    }
    window = try store.tensor("window", shape: [note.frontEnd.window]).floats()
    mel = try store.tensor("mel", shape: [bins, bands]).floats()
    scale = try store.tensor("input.scale", shape: [bands]).floats()
    shift = try store.tensor("input.shift", shape: [bands]).floats()
    planes = try described.compactMap { name, layer in
      try layer.map {
        try tensors($0, name, [$0.output, $0.input, $0.kernel.bands, $0.kernel.frames])
      }
    }
    layers = try note.layers.map {
      try tensors($0.convolution, $0.tensor, [$0.output, $0.input, $0.kernel])
    }
    embedding = note.layers[note.layers.count - 1].output
    readWeight = try store.tensor("read.weight", shape: [groups.count, embedding, 1]).floats()
    readBias = try store.tensor("read.bias", shape: [groups.count]).floats()
    transform = FourierTransform(length: note.frontEnd.window)
  }

  /// Whether each layer takes what the one before it gives.
  private static func fit(
    _ planes: [PlaneConvolution?], _ layers: [PlaneConvolution], bands: Int
  ) -> Bool {
    var (channels, bands) = (1, bands)
    for plane in planes {
      guard let plane, plane.isSound, plane.input == channels else { return false }
      bands = plane.size(of: bands, 1).bands
      channels = plane.output
      guard bands > 0 else { return false }
    }
    channels *= bands
    for layer in layers {
      guard layer.isSound, layer.input == channels else { return false }
      channels = layer.output
    }
    return true
  }

  /// Listens to mono sound at `rate`; a last part shorter than a second is not judged.
  func hear(_ samples: [Float]) -> Hearing {
    var x = frontEnd(samples)  // (bands, frames)
    var frames = samples.count / hop
    var bands = bands
    for plane in planes {
      x = plane(x, bands: bands, frames: frames)
      (bands, frames) = plane.size(of: bands, frames)
    }
    if let last = planes.last { x = Self.flattened(x, bands: bands, channels: last.output) }
    for layer in layers {
      guard frames > 0 else { break }
      x = layer(x, bands: 1, frames: frames)
      frames = layer.size(of: 1, frames).frames
    }
    let channels = embedding
    let stride = (planes + layers).reduce(1) { $0 * $1.stride.frames }
    let perSecond = Double(rate) / Double(hop) / Double(stride)
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

  /// (bands, channels, frames) to (channels · bands, frames).
  private static func flattened(_ x: [Float], bands: Int, channels: Int) -> [Float] {
    let frames = x.count / (bands * channels)
    return (0..<channels).flatMap { channel in
      (0..<bands).flatMap { band -> ArraySlice<Float> in
        let start = (band * channels + channel) * frames
        return x[start..<start + frames]
      }
    }
  }

  private func logarithm(_ value: Float) -> Float { Float(Foundation.log(Double(value))) }
}
