import TestSupport
import Testing

@testable import Kernels

@Suite("Sliding window")
struct SlidingWindowTests {
  struct Shape: CustomStringConvertible {
    var reach: Int
    var stride: Int
    var before: Int
    var padding: Padding
    var after: Int { reach - stride - before }
    var description: String { "reach \(reach), stride \(stride), \(before) before, \(padding)" }
  }

  static let shapes: [Shape] = [Padding.reflect, .constant, .replicate].flatMap { padding in
    [
      Shape(reach: 7, stride: 1, before: 3, padding: padding),
      Shape(reach: 7, stride: 1, before: 6, padding: padding),
      Shape(reach: 1, stride: 1, before: 0, padding: padding),
      Shape(reach: 4, stride: 1, before: 2, padding: padding),
      Shape(reach: 16, stride: 8, before: 4, padding: padding),
      Shape(reach: 10, stride: 5, before: 3, padding: padding),
      Shape(reach: 10, stride: 5, before: 5, padding: padding),
    ]
  }

  /// The whole signal, padded as the reference's `_pad1d` does with `torch.nn.functional.pad`.
  private func padded(_ signal: [Float], _ shape: Shape) -> [Float] {
    let extra = (shape.stride - signal.count % shape.stride) % shape.stride
    let right = shape.after + extra
    switch shape.padding {
    case .constant:
      return [Float](repeating: 0, count: shape.before) + signal
        + [Float](repeating: 0, count: right)
    case .replicate:
      return [Float](repeating: signal[0], count: shape.before) + signal
        + [Float](repeating: signal[signal.count - 1], count: right)
    case .reflect:
      let longest = max(shape.before, right)
      let zeros = signal.count <= longest ? longest - signal.count + 1 : 0
      let long = signal + [Float](repeating: 0, count: zeros)
      let head = (0..<shape.before).map { long[shape.before - $0] }
      let tail = (0..<right).map { long[long.count - 2 - $0] }
      return Array((head + long + tail).dropLast(zeros))
    }
  }

  @Test("shows the windows of the padded signal, whatever the pieces", arguments: shapes)
  func windows(shape: Shape) {
    var random = TestRandom(seed: 5)
    for length in Array(1...20) + [50, 99] {
      let signal = (0..<length).map { Float($0 + 1) }
      let whole = padded(signal, shape)
      let expected = Swift.stride(from: 0, through: whole.count - shape.reach, by: shape.stride)
        .map { Array(whole[$0..<$0 + shape.reach]) }
      let window = SlidingWindow(
        channels: 1, reach: shape.reach, stride: shape.stride, before: shape.before,
        after: shape.after, padding: shape.padding, blockRows: 9)
      for _ in 0..<3 {
        window.reset()
        var seen: [[Float]] = []
        func take() {
          let ready = window.ready
          guard ready > 0 else { return }
          let span = window.windows(outputs: ready)
          for output in 0..<ready {
            seen.append((0..<shape.reach).map { span[output * shape.stride + $0] })
          }
          window.consume(ready)
        }
        var rest = signal[...]
        while !rest.isEmpty {
          let count = min(rest.count, Int.random(in: 0...9, using: &random))
          var room = window.room(count)
          for (i, value) in rest.prefix(count).enumerated() { room[i] = value }
          window.append(count)
          rest = rest.dropFirst(count)
          take()
        }
        window.close()
        take()
        #expect(seen == expected, "length \(length)")
        #expect(seen.count == (length + shape.stride - 1) / shape.stride)
      }
    }
  }

  @Test("an empty signal has no outputs")
  func empty() {
    let window = SlidingWindow(
      channels: 3, reach: 7, before: 3, after: 3, padding: .reflect, blockRows: 4)
    window.close()
    #expect(window.ready == 0)
    #expect(window.isClosed)
  }
}
