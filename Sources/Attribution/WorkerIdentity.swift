// Who holds a lease, told so that another worker on the same machine can see when the holder is dead.
//
// A process number alone does not do: numbers are used again, and mean nothing on another machine or in
// another container. So an owner is named by the machine's boot, the process-number namespace, the number
// and the time at which that process began (ticks since boot, proc(5)). Where one of these cannot be read,
// or differs, nothing is concluded and the lease runs out by itself.

import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// The name of a worker in the job store.
package enum WorkerIdentity {
  /// A name that no other worker has, now or later.
  package static func make() -> String {
    let number = Int(ProcessInfo.processInfo.processIdentifier)
    let place = home ?? "unknown"
    let start = status(of: number).map { "\($0.start)" } ?? "unknown"
    return "\(place) \(number) \(start) \(UInt32.random(in: 0...UInt32.max))"
  }

  /// Whether `owner` was a process of this machine that is certainly no longer there.
  package static func isDead(_ owner: String) -> Bool {
    let parts = owner.split(separator: " ")
    guard parts.count == 4, let home, parts[0] == home, let number = Int(parts[1]),
      let start = UInt64(parts[2])
    else { return false }
    if let found = status(of: number) { return found.hasEnded || found.start != start }
    // A process that may not be looked at is not dead.
    return kill(pid_t(truncatingIfNeeded: number), 0) == -1 && errno == ESRCH
  }

  /// The boot and the process-number namespace; nil where the system does not tell.
  private static var home: String? {
    guard
      let boot = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8),
      let space = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid")
    else { return nil }
    return boot.trimmingCharacters(in: .whitespacesAndNewlines) + "/" + space
  }

  /// When a process began, in ticks after boot, and whether it has ended and only waits for its parent to
  /// notice; nil when there is none or it may not be looked at.
  private static func status(of number: Int) -> (start: UInt64, hasEnded: Bool)? {
    guard let line = try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8),
      // The second field is the program's name in parentheses, which may hold anything.
      let end = line.lastIndex(of: ")")
    else { return nil }
    let fields = line[line.index(after: end)...].split(separator: " ")
    guard fields.count > 19, let start = UInt64(fields[19]) else { return nil }
    return (start, ["Z", "X"].contains(fields[0]))
  }
}
