// All parameters of a network in one flat buffer, for what must change or differentiate them:
// training losses, Fisher information, unlearning. Playing reads checkpoints in place instead.

package import Kernels

/// Names, shapes and places of a network's parameters.
package struct ParameterLayout: Sendable, Equatable {
  /// One tensor.
  package struct Entry: Sendable, Equatable {
    package let name: String
    package let shape: [Int]
    /// Its floats in the flat buffer.
    package let range: Range<Int>
  }

  package let entries: [Entry]
  /// Floats of all tensors together.
  package let count: Int
  private let places: [String: Int]

  package init(_ tensors: [(name: String, shape: [Int])]) {
    var entries: [Entry] = []
    var places: [String: Int] = [:]
    var start = 0
    for (name, shape) in tensors {
      precondition(places[name] == nil, "\(name) is laid out twice")
      let size = shape.reduce(1, *)
      places[name] = entries.count
      entries.append(Entry(name: name, shape: shape, range: start..<start + size))
      start += size
    }
    self.entries = entries
    self.places = places
    count = start
  }

  /// The place of `name` among the entries, which the caller knows to be there.
  package subscript(name: String) -> Int {
    guard let place = places[name] else { preconditionFailure("no parameter \(name)") }
    return place
  }

  /// The place of `name`, if there is such a tensor.
  package func place(of name: String) -> Int? { places[name] }

  /// Floats of the largest tensor.
  package var largest: Int { entries.map(\.range.count).max() ?? 0 }
}

/// Values for a layout; never written after they are made, so they may be read from many threads.
package final class Parameters: Sendable {
  package let layout: ParameterLayout
  /// All values, in the layout's order.
  package let values: WorkBuffer

  package init(layout: ParameterLayout, values: WorkBuffer) {
    precondition(values.count == layout.count, "values and layout do not fit")
    self.layout = layout
    self.values = values
  }

  /// Reads every tensor of the layout, under `prefix` + its name, as float32.
  /// - Throws: `SafetensorsError` for missing, misshapen or non-finite tensors.
  package convenience init(layout: ParameterLayout, from store: TensorStore, prefix: String) throws
  {
    let values = WorkBuffer(count: layout.count)
    for entry in layout.entries {
      let source = try store.buffer(prefix + entry.name, shape: entry.shape)
      var target = values.mutableSpan(entry.range)
      let span = source.span
      for i in 0..<span.count { target[i] = span[i] }
    }
    self.init(layout: layout, values: values)
  }

  /// The values of the tensor at `place` of the layout.
  @_lifetime(immortal) package func span(_ place: Int) -> Span<Float> {
    values.span(layout.entries[place].range)
  }
}
