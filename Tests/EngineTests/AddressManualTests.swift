import Foundation
import Reporting
import Testing

@testable import Engine

@Suite struct AddressManualTests {
  @Test func everyAddressHasALineWithoutBrokenCells() {
    let lines = AddressManual.markdown.split(separator: "\n")
    #expect(lines.count == AddressTable.rows.count + 2)
    for (line, row) in zip(lines.dropFirst(2), AddressTable.rows) {
      #expect(line.hasPrefix("| `\(row.pattern)` |"))
      // Three cells: four bars that are not escaped.
      #expect(line.replacing("\\|", with: "").count { $0 == "|" } == 4, "\(line)")
    }
  }

  @Test func thePageHasAnEntryForEveryAddress() {
    let source = AddressManual.page(version: "1").source
    for row in AddressTable.rows {
      #expect(source.contains(".TP\n\\fB\(row.pattern)\\fR"), "\(row.pattern)")
    }
    #expect(source.components(separatedBy: ".TP\n").count == AddressTable.rows.count + 1)
    #expect(source.contains("Range: 0.25 \\[u2026] 4.0 s. At first 1."))
  }

  @Test func valuesTellRangeUnitAndStart() {
    let line = AddressManual.markdown.split(separator: "\n")
      .first { $0.contains("`/engine/lookahead`") }
    #expect(line?.contains("f 0.25 … 4.0 s") == true && line?.contains("At first 1.") == true)
  }
}
