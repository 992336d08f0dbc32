// The fingerprint of a language model: the same for the same weights, whatever file holds them.
//
// SHA-256 over the tensors whose names begin with "decoder.", in the order of their names' bytes. Each gives
// its name, a zero byte, its type as in the file ("F32"), a zero byte, its shape ("24x1024x1024"), a
// zero byte, and its little-endian bytes. The table of sinusoidal positions is left out: some exports
// write it and some do not. Source: CONTRACT "Preset bundle"; the byte order is ours.

internal import Crypto
import Kernels

package enum ModelFingerprint {
  /// Tensors that do not count.
  private static let ignored = ["decoder.model.decoder.embed_positions.weights"]

  /// 64 hexadecimal digits over the tensors of `store` whose names begin with `prefix`: the language
  /// model's by default.
  package static func compute(_ store: TensorStore, prefix: String = "decoder.") -> String {
    let tensors = store.tensors.values
      .filter { $0.name.hasPrefix(prefix) && !ignored.contains($0.name) }
      .sorted { Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) }
    var hash = SHA256()
    for tensor in tensors {
      let shape = tensor.shape.map(String.init).joined(separator: "x")
      hash.update(data: Array("\(tensor.name)\0\(tensor.type.rawValue)\0\(shape)\0".utf8))
      let bytes = tensor.bytes
      unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
      tensor.releasePages()
    }
    return hexadecimal(hash.finalize())
  }
}
