import Testing

@testable import Attribution

@Suite("Scores against those of other pieces")
struct ContrastTests {
  private let songs = ["a", "b", "c", "d"]
  private let own = Contrast.Row(song: "b", scores: [1, 9, -2, 3])
  private let panel = [
    Contrast.Row(song: "x", scores: [2, 2, 0, 1]), Contrast.Row(song: "y", scores: [-1, 4, 1, 1]),
    Contrast.Row(song: "c", scores: [3, 1, 8, -1]),
  ]

  @Test("are deviations above the panel's, few deviations being drawn to the median")
  func known() {
    // By NumPy, from the formula in the file's head.
    let wanted = [
      -0.487_371_064_453_812_7, 5.426_826_179_098_368, -2.505_104_381_389_634_8,
      2.234_706_758_055_361_2,
    ]
    let found = Contrast.deviations(of: own, above: panel, songs: songs)
    for (a, b) in zip(found, wanted) { #expect(abs(a - b) < 1e-12) }
  }

  @Test("neither the sizes of pieces count, nor their order beyond the last bits")
  func sizes() {
    let plain = Contrast.deviations(of: own, above: panel, songs: songs)
    var large = own
    large.scores = own.scores.map { $0 * 1000 }
    var others = panel
    others[1].scores = panel[1].scores.map { $0 * 0.01 }
    others.swapAt(0, 2)
    for (a, b) in zip(Contrast.deviations(of: large, above: others, songs: songs), plain) {
      #expect(abs(a - b) < 1e-12)
    }
  }

  @Test("what a track has in all pieces alike counts for nothing")
  func common() throws {
    let random = (0..<10).map { row in
      (0..<30).map { track in
        let mixed: Int = row * 37 + track * 101 + row * track * 7
        return Double(mixed % 19) - 9
      }
    }
    func ranked(_ offset: Double) throws -> Int? {
      let rows = random.map { scores in
        Contrast.Row(
          song: "elsewhere", scores: scores.indices.map { scores[$0] + ($0 == 4 ? offset : 0) })
      }
      let found = Contrast.deviations(
        of: rows[0], above: Array(rows[1...]), songs: (0..<30).map { "\($0)" })
      return 1 + found.count { $0 > found[4] }
    }
    // The offset is hardly seen, though it is larger than every plain score.
    let (without, with) = (try #require(try ranked(0)), try #require(try ranked(15)))
    #expect(abs(without - with) <= 6, "\(without) and \(with)")
  }

  @Test("a panel's piece does not hide its own song")
  func versions() {
    // The piece owes all to track c, which the panel's third piece is.
    let copy = Contrast.Row(song: "take", scores: [0.1, 0.2, 8, 0.1])
    let rows = (0..<8).map { index in
      let scores: [Double] = (0..<4).map { track in Double((index * 5 + track * 3) % 7) / 7 }
      return Contrast.Row(song: "\(index)", scores: scores)
    }
    let found = Contrast.deviations(
      of: copy, above: rows + [Contrast.Row(song: "c", scores: [0, 0.1, 80, 0.2])], songs: songs)
    #expect(found.max() == found[2])
    #expect(
      found[2]
        == Contrast.deviations(
          of: copy, above: rows + [Contrast.Row(song: "c", scores: [0, 0.1, -3, 0.2])],
          songs: songs)[2])
  }

  @Test("of nothing nothing is said")
  func nothing() {
    #expect(Contrast.deviations(of: own, above: [], songs: songs) == [0, 0, 0, 0])
    let flat = [Contrast.Row](repeating: .init(song: "z", scores: [0, 0, 0, 0]), count: 9)
    #expect(Contrast.deviations(of: own, above: flat, songs: songs) == [0, 0, 0, 0])
  }
}
