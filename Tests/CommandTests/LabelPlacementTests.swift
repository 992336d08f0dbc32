import Testing

@testable import continuo

@Suite("Places of names in a picture")
struct LabelPlacementTests {
  private let frame = (left: 50.0, top: 40.0, right: 670.0, bottom: 420.0)

  @Test("no name covers another or a point, even where the points are close together")
  func apart() {
    let marks = (0..<14).map { (x: 560 + 5 * Double($0 % 4), y: 300 + 4 * Double($0)) }
    let names = marks.indices.map { "smitin α \($0) s 1 mean difference" }
    let places = LabelPlacement(frame: frame, marks: marks).places(for: names)
    func box(_ index: Int) -> (Double, Double, Double, Double) {
      let place = places[index]
      let width = LabelPlacement.letter * Double(names[index].count)
      let bottom = place.baseline + 2
      return (place.x, bottom - LabelPlacement.height, place.x + width, bottom)
    }
    for i in places.indices {
      let a = box(i)
      #expect(a.0 >= frame.left && a.2 <= frame.right && a.1 >= frame.top && a.3 <= frame.bottom)
      for j in 0..<i {
        let b = box(j)
        #expect(a.2 <= b.0 || b.2 <= a.0 || a.3 <= b.1 || b.3 <= a.1, "\(i) covers \(j)")
      }
      for mark in marks {
        #expect(mark.x <= a.0 || mark.x >= a.2 || mark.y <= a.1 || mark.y >= a.3)
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
