import Foundation
import Kernels
import Testing

@Suite("Weight layout")
struct WeightLayoutTests {
  @Test("a large matrix takes as many bytes per weight as the format says")
  func bytesPerWeight() {
    let expected: [(WeightFormat, Double)] = [
      (.f32, 4), (.bf16, 2), (.int8, 1.03125), (.int4, 0.625),
    ]
    #expect(expected.count == WeightFormat.allCases.count)
    for (format, bytes) in expected {
      let layout = WeightLayout(rows: 1024, columns: 1024, format: format)
      #expect(Double(layout.bytes) / Double(1024 * 1024) == bytes, "\(format)")
    }
  }

  @Test(
    "tiles begin on cache lines, whatever the shape and the group", arguments: WeightFormat.allCases
  )
  func tiles(format: WeightFormat) {
    let groups = format.defaultGroup == 1 ? [1] : [32, 64, 128]
    for group in groups {
      for rows in [1, 15, 16, 17, 100] {
        for columns in [1, 31, 32, 33, 65, 640] {
          let layout = WeightLayout(rows: rows, columns: columns, format: format, group: group)
          #expect(layout.groups * group >= columns && (layout.groups - 1) * group < columns)
          if layout.tileRows == 16 { #expect(layout.tileBytes % 64 == 0) }
          // Rows are filled up to whole tiles, and no more.
          let tiles = layout.bytes / layout.tileBytes
          #expect(layout.bytes == tiles * layout.tileBytes)
          #expect(tiles * layout.tileRows >= rows && (tiles - 1) * layout.tileRows < rows)
        }
      }
    }
  }

  @Test("float32 lies as in a checkpoint: row by row, nothing between")
  func plain() {
    let layout = WeightLayout(rows: 3, columns: 5, format: .f32)
    #expect(layout.tileRows == 1 && layout.bytes == 60)
  }

  @Test("larger groups have fewer scales")
  func groups() {
    for format in [WeightFormat.int8, .int4] {
      let bytes = [32, 64, 128].map {
        WeightLayout(rows: 64, columns: 1024, format: format, group: $0).bytes
      }
      #expect(bytes[0] > bytes[1] && bytes[1] > bytes[2], "\(format)")
    }
  }

  @Test("is kept in a file and read back")
  func coding() throws {
    let layout = WeightLayout(rows: 7, columns: 129, format: .int4, group: 64)
    let data = try JSONEncoder().encode(layout)
    #expect(try JSONDecoder().decode(WeightLayout.self, from: data) == layout)
  }
}
