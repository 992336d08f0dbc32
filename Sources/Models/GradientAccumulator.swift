// Where gradients go, tensor by tensor, as soon as they are known.
//
// A backward pass hands over each tensor's gradient once; it is summed or squared and summed at once,
// so a pass needs room for one tensor's gradient beside the sums. Tensors that nobody asked for are
// never computed.

package import Kernels

/// Sums of the gradients, or of their squares, of the draws of one loss. Belongs to one thread.
package final class GradientAccumulator {
  package enum Rule: Sendable { case sum, squares }

  package let layout: ParameterLayout
  package let rule: Rule
  /// For each tensor of the layout, whether its gradient is asked for.
  package let wanted: [Bool]
  /// The sums, in the layout's order; zero where nothing is asked for.
  package let sums: WorkBuffer
  private let scratch: WorkBuffer
  private let second: WorkBuffer

  package init(layout: ParameterLayout, wanted: [Bool], rule: Rule) {
    precondition(wanted.count == layout.entries.count, "one wish per tensor")
    self.layout = layout
    self.wanted = wanted
    self.rule = rule
    sums = WorkBuffer(count: layout.count)
    scratch = WorkBuffer(count: layout.largest)
    second = WorkBuffer(
      count: layout.entries.filter { $0.shape.count == 1 }.map(\.range.count).max() ?? 0)
  }

  /// Whether the gradient of the tensor at `place` is asked for.
  package func wants(_ place: Int) -> Bool { wanted[place] }

  /// Whether any tensor whose name begins with `prefix` is asked for.
  package func wants(prefix: String) -> Bool {
    zip(layout.entries, wanted).contains { $1 && $0.name.hasPrefix(prefix) }
  }

  /// Lets `compute` write the gradient of the tensor at `place` and adds it; does nothing when it is
  /// not asked for.
  package func collect(_ place: Int, _ compute: (inout MutableSpan<Float>) -> Void) {
    guard wanted[place] else { return }
    var part = scratch.mutableSpan(0..<layout.entries[place].range.count)
    compute(&part)
    add(scratch, place)
  }

  /// Lets `compute` write the gradients of a weight and of a bias (one-dimensional), which come from
  /// one computation that has to be done in any case, and adds those that are asked for.
  package func collect(
    _ weight: Int, _ bias: Int,
    _ compute: (inout MutableSpan<Float>, inout MutableSpan<Float>) -> Void
  ) {
    var a = scratch.mutableSpan(0..<layout.entries[weight].range.count)
    var b = second.mutableSpan(0..<layout.entries[bias].range.count)
    compute(&a, &b)
    if wanted[weight] { add(scratch, weight) }
    if wanted[bias] { add(second, bias) }
  }

  /// Lets `compute` write the gradient of the tensor at `place` and `also` further floats that no tensor
  /// wants (a bias that is none), which has to be done in any case; adds what is asked for.
  package func collectAlways(
    _ place: Int, also count: Int,
    _ compute: (inout MutableSpan<Float>, inout MutableSpan<Float>) -> Void
  ) {
    var a = scratch.mutableSpan(0..<layout.entries[place].range.count)
    var b = second.mutableSpan(0..<count)
    compute(&a, &b)
    if wanted[place] { add(scratch, place) }
  }

  private func add(_ gradient: WorkBuffer, _ place: Int) {
    let range = layout.entries[place].range
    let part = gradient.span(0..<range.count)
    var target = sums.mutableSpan(range)
    switch rule {
    case .sum:
      for i in 0..<part.count { unsafe target[unchecked: i] += part[unchecked: i] }
    case .squares:
      for i in 0..<part.count {
        unsafe target[unchecked: i] += part[unchecked: i] * part[unchecked: i]
      }
    }
  }
}
