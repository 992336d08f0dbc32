// Where the names of the points of a picture stand, so that none covers another or a point.
//
// In: the points and the frame in pixels, x to the right and y down. Out: a place per name, the nearest free one around
// its point in rings; the first ring when nothing is free. Source: ours, the greedy way that plots are usually labelled.

import Foundation

struct LabelPlacement {
  struct Place: Equatable {
    /// Left end of the name.
    var x: Double
    var baseline: Double
    /// The point of the name's box nearest to its mark: where a line to it ends.
    var nearX: Double
    var nearY: Double
    /// Whether a line is needed to tell whose name it is.
    var isFar: Bool
  }

  /// Names stay inside.
  var frame: (left: Double, top: Double, right: Double, bottom: Double)
  var marks: [(x: Double, y: Double)]

  /// Size of the letters, and the width of a mean one, in pixels.
  static let (height, letter) = (11.0, 5.9)
  /// Half a mark.
  private static let mark = 6.0
  /// Distances from a mark to its name that are tried.
  private static let rings: [Double] = [
    8, 16, 26, 38, 52, 68, 86, 106, 130, 160, 200, 250,
  ]

  private struct Box {
    var left: Double
    var top: Double
    var right: Double
    var bottom: Double

    func meets(_ other: Box) -> Bool {
      left < other.right && other.left < right && top < other.bottom && other.top < bottom
    }
  }

  /// One place for each mark's name, in their order.
  func places(for names: [String]) -> [Place] {
    let taken = marks.map {
      Box(
        left: $0.x - Self.mark, top: $0.y - Self.mark, right: $0.x + Self.mark,
        bottom: $0.y + Self.mark)
    }
    var boxes: [Box] = []
    for (name, mark) in zip(names, marks) {
      let width = Self.letter * Double(name.count)
      let all = Self.rings.flatMap { candidates(mark, width, $0) }
      let free = all.first { box in
        box.left >= frame.left && box.right <= frame.right && box.top >= frame.top
          && box.bottom <= frame.bottom && !taken.contains { $0.meets(box) }
          && !boxes.contains { $0.meets(box) }
      }
      boxes.append(free ?? all[0])
    }
    return zip(boxes, marks).map { box, mark in
      let near = (
        x: min(max(mark.x, box.left), box.right), y: min(max(mark.y, box.top), box.bottom)
      )
      let gap = hypot(near.x - mark.x, near.y - mark.y)
      return Place(
        x: box.left, baseline: box.bottom - 2, nearX: near.x, nearY: near.y,
        isFar: gap > Self.rings[1])
    }
  }

  /// Boxes around a mark at one distance: right, left, then sixteen directions.
  private func candidates(_ mark: (x: Double, y: Double), _ width: Double, _ gap: Double) -> [Box] {
    let turns = [0, 8, 1, 15, 7, 9, 2, 14, 6, 10, 3, 13, 5, 11, 4, 12]
    return turns.map { turn in
      let angle = Double(turn) * .pi / 8
      // The box touches the ring from outside, on the side that looks at the mark.
      let x =
        mark.x + gap * cos(angle) + width / 2 * (cos(angle) > 0.1 ? 1 : cos(angle) < -0.1 ? -1 : 0)
      let y = mark.y - gap * sin(angle) - Self.height / 2 * sin(angle)
      return Box(
        left: x - width / 2, top: y - Self.height / 2, right: x + width / 2,
        bottom: y + Self.height / 2)
    }
  }
}
