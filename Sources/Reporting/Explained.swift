// How every error of the program speaks: what is wrong, and what to do about it.

#if canImport(Glibc)
  import Glibc
#endif

/// An error that a person can act on. Conforming types are enums that carry the facts.
package protocol Explained: Error, CustomStringConvertible {
  /// Which kind of failure, for the exit status.
  var kind: FailureKind { get }
  /// What is wrong, with the file, tensor or value; no trailing full stop.
  var problem: String { get }
  /// What to do about it, a clause in the imperative.
  var remedy: String { get }
}

extension Explained {
  package var description: String { "\(problem); \(remedy)" }
}

/// The failure kinds of `sysexits.h` that the program uses; the raw value is the exit status.
package enum FailureKind: Int32, Sendable {
  /// The command line makes no sense.
  case usage = 64
  /// Input data is broken or contradicts itself.
  case data = 65
  /// An input cannot be opened.
  case noInput = 66
  /// A service or device that is needed is not there.
  case unavailable = 69
  /// The program's own mistake.
  case software = 70
  /// The operating system refused something (memory, threads).
  case system = 71
  /// An output cannot be created.
  case cannotCreate = 73
  /// Reading or writing failed half way (full disk).
  case inputOutput = 74
  /// Not allowed.
  case permission = 77
  /// A configuration is wrong.
  case configuration = 78
}

/// One printable line for any error: control characters are shown as `?`, long texts are cut.
package func explanation(of error: any Error) -> String {
  let text = (error as? any Explained)?.description ?? String(describing: error)
  return printable(text, limit: 2000)
}

/// `text` without control characters, at most `limit` characters: what strangers wrote is cleaned
/// before it reaches a terminal.
package func printable(_ text: String, limit: Int = 200) -> String {
  var result = ""
  for (index, character) in text.unicodeScalars.enumerated() {
    if index == limit { return result + "…" }
    let isControl = character.properties.generalCategory == .control
    let isBidirectional =
      (0x202A...0x202E).contains(character.value) || (0x2066...0x2069).contains(character.value)
    result.unicodeScalars.append(isControl || isBidirectional ? "?" : character)
  }
  return result
}
