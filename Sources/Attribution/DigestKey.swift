// A short name for everything that a number depends on.

internal import Crypto
import Foundation

/// 32 hexadecimal digits of a SHA-256 over parts that cannot run into each other.
struct DigestKey {
  let text: String

  init(_ parts: [String]) {
    var hash = SHA256()
    for part in parts { hash.update(data: Data("\(part.utf8.count):\(part)".utf8)) }
    text = String(hexadecimal(hash.finalize()).prefix(32))
  }
}
