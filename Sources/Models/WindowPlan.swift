// How 30-second windows follow each other without a seam (METHOD 5, ours).
//
// Before a window is full, a second cache is filled with its last 12 s: a few old positions ride along
// with each new one in the same pass over the weights. Then the caches swap, and positions count from
// the new window's start.

/// Lengths of windows, in steps.
package struct WindowPlan: Sendable, Equatable {
  /// Positions of one window: 1500 (30 s).
  package var length: Int
  /// Positions that the next window starts with: 600 (12 s).
  package var context: Int
  /// Old positions fed beside each new one while the next window is filled: 3.
  package var rate: Int

  package init(length: Int = 1500, context: Int = 600, rate: Int = 3) {
    precondition(rate >= 1 && context >= 1, "a window must keep something")
    precondition(
      length > 2 * context && length > context + (context + rate - 1) / rate,
      "a window must have time to fill the next and to be gone back to")
    self.length = length
    self.context = context
    self.rate = rate
  }

  /// Passes during which the next window is filled.
  package var fillPasses: Int { (context + rate - 1) / rate }

  /// Positions of the next window that are filled before the pass on `position`, when this window
  /// starts at `origin`.
  package func filled(beforePosition position: Int, origin: Int) -> Int {
    let start = origin + length - fillPasses
    return min(max(rate * (position - start), 0), context)
  }
}
