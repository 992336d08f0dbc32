import Foundation
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@testable import continuo

@Suite("Pictures of the steering tables")
struct SteeringPictureTests {
  private func table(distance: Double?) -> SteeringReport.Table {
    var table = SteeringReport.Table(title: "Adding X & <more>", note: "")
    for (name, presence) in [("none", 0.2), ("iti α 15", 0.3), ("smitin α 20 s 1", 0.8)] {
      var row = SteeringReport.Row(name: name)
      for trait in ["drums", "bass"] {
        row.entries.append(
          .init(
            trait: trait, success: 0.5, presence: presence, similarity: 0.5, gain: 0.5, clips: 2,
            distance: distance.map { $0 * presence }))
      }
      table.rows.append(row)
    }
    return table
  }

  @Test("both are well-formed, name every row, and are drawn the same twice")
  func wellFormed() throws {
    let picture = SteeringPicture(table: table(distance: 10))
    let price = try #require(picture.price)
    for text in [picture.presence, price] {
      #expect(XMLParser(data: Data(text.utf8)).parse())
      for name in ["none", "iti α 15", "smitin α 20 s 1"] { #expect(text.contains(name)) }
    }
    #expect(picture.presence == SteeringPicture(table: table(distance: 10)).presence)
  }

  @Test("without distances there is no picture of them, and figures that are none are left out")
  func missing() {
    #expect(SteeringPicture(table: table(distance: nil)).price == nil)
    var broken = table(distance: .nan)
    broken.rows[0].entries[0].presence = .nan
    let picture = SteeringPicture(table: broken)
    #expect(picture.price == nil && !picture.presence.contains("nan"))
    #expect(XMLParser(data: Data(picture.presence.utf8)).parse())
  }
}
