import Testing

@testable import continuo

@Suite("Places of names in a picture")
struct LabelPlacementTests {
  private let frame = (left: 50.0, top: 40.0, right: 670.0, bottom: 420.0)

  private struct Box {
    var left: Double
    var top: Double
    var right: Double
    var bottom: Double

    func isBeside(_ other: Box) -> Bool {
      if right <= other.left || other.right <= left { return true }
      return bottom <= other.top || other.bottom <= top
    }
  }

  @Test("no name covers another or a point, even where the points are close together")
  func apart() {
    var marks: [(x: Double, y: Double)] = []
    for index in 0..<14 { marks.append((560 + Double(5 * (index % 4)), 300 + Double(4 * index))) }
    let names = marks.indices.map { "smitin α \($0) s 1 mean difference" }
    let places = LabelPlacement(frame: frame, marks: marks).places(for: names)
    let boxes = zip(places, names).map { place, name in
      Box(
        left: place.x, top: place.baseline + 2 - LabelPlacement.height,
        right: place.x + LabelPlacement.letter * Double(name.count), bottom: place.baseline + 2)
    }
    for (index, box) in boxes.enumerated() {
      #expect(box.left >= frame.left && box.right <= frame.right)
      #expect(box.top >= frame.top && box.bottom <= frame.bottom)
      for other in boxes[..<index] { #expect(box.isBeside(other)) }
      for mark in marks {
        #expect(box.isBeside(Box(left: mark.x, top: mark.y, right: mark.x, bottom: mark.y)))
      }
    }
    #expect(places.contains { $0.isFar })
  }

  @Test("a point by itself has its name close to its right, at the right edge to its left")
  func alone() {
    func place(_ x: Double) -> LabelPlacement.Place {
      LabelPlacement(frame: frame, marks: [(x, 200)]).places(for: ["none"])[0]
    }
    #expect(place(100).x == 108 && !place(100).isFar)
    #expect(place(660).x < 640 && !place(660).isFar)
  }
}
