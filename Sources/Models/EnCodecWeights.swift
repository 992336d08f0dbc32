// The tensors of an EnCodec checkpoint, checked, with weight norm folded in.
//
// Weight norm: w = g · v / ‖v‖, the norm over all but the first axis. Published MusicGen files name the
// two `weight_g` and `weight_v`, newer exports `parametrizations.weight.original0` and `original1`.

internal import RealModule

/// Reads tensors by name.
package struct EnCodecWeights {
  /// A tensor's shape, and its values, read when they are asked for.
  package typealias Found = (shape: [Int], values: () throws -> [Float])
  /// What stands before every name, `audio_encoder.` in MusicGen's files.
  let prefix: String
  private let lookup: (String) throws -> Found?
  /// Makes up every tensor that is asked for, when not nil.
  private var seed: UInt32?

  /// - Parameters:
  ///   - prefix: what stands before every name in the file.
  ///   - lookup: the tensor of a full name as float32, nil where there is none.
  package init(prefix: String = "audio_encoder.", _ lookup: @escaping (String) throws -> Found?) {
    self.prefix = prefix
    self.lookup = lookup
  }

  /// Reads from a checkpoint.
  package init(prefix: String = "audio_encoder.", store: TensorStore) {
    self.init(prefix: prefix) { name in
      guard let tensor = store.tensors[name] else { return nil }
      return (
        tensor.shape,
        {
          defer { tensor.releasePages() }
          return try tensor.floats()
        }
      )
    }
  }

  /// Random weights of whatever shape a configuration asks for: for timing, not for music.
  package static func random(seed: UInt32 = 1, codebooks: Int) -> EnCodecWeights {
    var weights = EnCodecWeights(prefix: "") { name in
      // Plain weights exist, and so many codebooks.
      let parts = name.split(separator: ".")
      let isBook = name.hasSuffix(".codebook.embed")
      return name.hasSuffix(".weight") || isBook && (Int(parts[2]) ?? 0) < codebooks
        ? ([], { [] }) : nil
    }
    weights.seed = seed
    return weights
  }

  private static func randomValues(shape: [Int], seed: UInt32) -> [Float] {
    let fan = max(16, shape.dropFirst().reduce(1, *))
    let scale = 3 / Float(fan).squareRoot()
    var state = shape.reduce(seed) { $0 &* 31 &+ UInt32($1) }
    return (0..<shape.reduce(1, *)).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return scale * (Float(state >> 8) * 0x1p-24 - 0.5)
    }
  }

  /// Whether there is a tensor of this name.
  func has(_ name: String) throws -> Bool { try lookup(prefix + name) != nil }

  /// The values of a tensor of that shape.
  /// - Throws: `EnCodecError.missing`, `.wrongShape`, `.notFinite`.
  func read(_ name: String, shape: [Int]) throws -> [Float] {
    if let seed { return Self.randomValues(shape: shape, seed: seed) }
    guard let found = try lookup(prefix + name) else {
      throw EnCodecError.missing(tensor: prefix + name)
    }
    guard found.shape == shape else {
      throw EnCodecError.wrongShape(tensor: prefix + name, found: found.shape, expected: shape)
    }
    let values = try found.values()
    guard values.allSatisfy(\.isFinite) else {
      throw EnCodecError.notFinite(tensor: prefix + name)
    }
    return values
  }

  /// A convolution's weights with weight norm folded in.
  func readWeight(_ name: String, shape: [Int]) throws -> [Float] {
    let direction: String
    let length: String
    if try has(name + ".parametrizations.weight.original1") {
      direction = name + ".parametrizations.weight.original1"
      length = name + ".parametrizations.weight.original0"
    } else if try has(name + ".weight_v") {
      direction = name + ".weight_v"
      length = name + ".weight_g"
    } else if try has(name + ".weight") {
      return try read(name + ".weight", shape: shape)
    } else {
      throw EnCodecError.missing(tensor: prefix + name + ".weight_v")
    }
    var values = try read(direction, shape: shape)
    let lengths = try read(length, shape: [shape[0], 1, 1])
    let width = shape[1] * shape[2]
    for row in 0..<shape[0] {
      var squares = 0.0
      for i in row * width..<(row + 1) * width {
        squares += Double(values[i]) * Double(values[i])
      }
      let scale = Float(Double(lengths[row]) / Double.sqrt(squares))
      guard scale.isFinite else { throw EnCodecError.notFinite(tensor: prefix + direction) }
      for i in row * width..<(row + 1) * width { values[i] *= scale }
    }
    return values
  }
}
