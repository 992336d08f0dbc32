// A progress bar on standard error, drawn only when a person is looking.

import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// Shows how far a long job is, how fast, and how long it still takes. Silent when standard error is
/// no terminal. Used from one thread.
package final class ProgressBar {
  private let title: String
  private let total: Double
  private let isTerminal: Bool
  private let started = ContinuousClock.now
  private var lastDrawn: ContinuousClock.Instant?

  /// - Parameters:
  ///   - title: a word or two in front of the bar.
  ///   - total: the amount of work, in any unit.
  package init(_ title: String, total: Double) {
    self.title = title
    self.total = max(total, .leastNonzeroMagnitude)
    isTerminal = isatty(STDERR_FILENO) == 1
  }

  /// Draws the bar at `done` of the total, at most ten times per second.
  /// - Parameter note: a short figure behind the bar, such as a real-time factor.
  package func show(_ done: Double, note: String = "") {
    guard isTerminal, done.isFinite else { return }
    let now = ContinuousClock.now
    if let last = lastDrawn, now - last < .milliseconds(100), done < total { return }
    lastDrawn = now
    let share = min(max(done / total, 0), 1)
    let width = 30
    let filled = Int(share * Double(width))
    let bar =
      String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
    let elapsed = seconds(now - started)
    let left = share > 0.01 ? " \(clock(elapsed / share - elapsed)) left" : ""
    write("\r\u{1B}[K\(title) \(bar) \(Int(share * 100)) %\(left)  \(note)")
  }

  /// Removes the bar.
  package func finish() {
    guard isTerminal else { return }
    write("\r\u{1B}[K")
  }

  private func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }

  private func clock(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    return "\(whole / 60):" + (whole % 60 < 10 ? "0" : "") + "\(whole % 60)"
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
