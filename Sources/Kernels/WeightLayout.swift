// How the numbers of a weight matrix lie in memory, for each storage format.
//
// Float32 is row-major, as in a checkpoint, so that it can be used where it is mapped. The others are in
// the order in which the kernel reads them: tiles of sixteen rows, described in CKernels' header.

/// How the numbers of a weight matrix are stored.
package enum WeightFormat: String, Sendable, CaseIterable, Codable {
  /// 4 bytes per weight.
  case f32
  /// 2 bytes per weight.
  case bf16
  /// 8 bits and a scale per group of 64: 1.03 bytes per weight.
  case int8
  /// 4 bits, a scale and an offset per group of 32: 0.625 bytes per weight.
  case int4

  /// What players get unless they ask for another: a quarter of the memory traffic of float32, and the quality guard of
  /// `continuo evaluate quantisation` passes by far (0.0003 of 0.005 nats per code on the house model).
  package static let standard = WeightFormat.int8

  /// Inputs that share a scale; 1 where there are none.
  package var defaultGroup: Int {
    switch self {
    case .f32, .bf16: 1
    case .int8: 64
    case .int4: 32
    }
  }
}

/// Shape and storage of one matrix; with the bytes, all that a product needs.
package struct WeightLayout: Sendable, Equatable, Codable {
  /// Outputs.
  package let rows: Int
  /// Inputs.
  package let columns: Int
  package let format: WeightFormat
  /// Inputs that share a scale: 32, 64 or 128; 1 where there are no scales.
  package let group: Int

  /// Changes whenever bytes of one version mean something else in the next.
  package static let version = 2

  /// - Parameter group: the format's own when nil.
  package init(rows: Int, columns: Int, format: WeightFormat, group: Int? = nil) {
    precondition(rows > 0 && columns > 0, "a matrix of \(rows) by \(columns)")
    let group = group ?? format.defaultGroup
    precondition(
      format.defaultGroup == 1 ? group == 1 : [32, 64, 128].contains(group), "groups of \(group)")
    self.rows = rows
    self.columns = columns
    self.format = format
    self.group = group
  }

  /// Groups of one row, the last one padded with zeros.
  package var groups: Int { (columns + group - 1) / group }

  /// Bytes of a tile, a multiple of 64 where it has sixteen rows.
  package var tileBytes: Int {
    switch format {
    case .f32: columns * 4
    case .bf16: (columns + 1) / 2 * 64
    case .int8: (groups + 1) / 2 * 64 + groups * group * 16
    case .int4: groups * (64 + group * 8)
    }
  }

  /// Rows of one tile.
  package var tileRows: Int { format == .f32 ? 1 : 16 }

  /// All bytes, which one product reads.
  package var bytes: Int { (rows + tileRows - 1) / tileRows * tileBytes }
}
