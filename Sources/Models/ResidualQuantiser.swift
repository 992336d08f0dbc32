// Residual vector quantisation: a latent row is the sum of one entry from each of K codebooks.
//
// Each codebook codes what the ones before it left over, by the entry at the smallest squared distance
// ‖x‖² − 2 x·e + ‖e‖², the first one of equals. Source: transformers' EncodecResidualVectorQuantizer
// (published code), whose order of operations is kept.

package import Kernels

/// K codebooks of V entries of D numbers. Immutable and shared.
package struct ResidualQuantiser: Sendable {
  /// Codebooks (K).
  package let codebooks: Int
  /// Entries per codebook (V).
  package let cardinality: Int
  /// Numbers per entry (D).
  package let width: Int
  private let entries: [ConstantBuffer<Float>]  // K of (V, D)
  private let squares: [ConstantBuffer<Float>]  // K of (V): ‖e‖²

  /// - Parameter entries: one array (V, D) per codebook.
  package init(entries: [[Float]], cardinality: Int, width: Int) {
    precondition(entries.allSatisfy { $0.count == cardinality * width }, "shapes do not fit")
    codebooks = entries.count
    self.cardinality = cardinality
    self.width = width
    self.entries = entries.map { ConstantBuffer($0) }
    squares = entries.map { book in
      ConstantBuffer(
        (0..<cardinality).map { code in
          book[code * width..<(code + 1) * width].reduce(0) { $0 + $1 * $1 }
        })
    }
  }

  /// Reads `quantizer.layers.N.codebook.embed`, as many as the file has.
  init(config: EnCodecConfig, weights: EnCodecWeights) throws {
    var entries: [[Float]] = []
    while true {
      let name = "quantizer.layers.\(entries.count).codebook.embed"
      let exists = try weights.has(name)
      guard entries.isEmpty || exists else { break }
      entries.append(
        try weights.read(name, shape: [config.codebookSize, config.codebookDimension]))
    }
    guard entries.count >= config.codebooks else {
      throw EnCodecError.tooFewCodebooks(found: entries.count, expected: config.codebooks)
    }
    self.init(
      entries: entries, cardinality: config.codebookSize, width: config.codebookDimension)
  }

  /// Rows whose distances are computed at a time.
  static let blockRows = 64

  /// Floats of workspace that `encode` needs.
  package var workspaceCount: Int { Self.blockRows * (cardinality + width) }

  /// The codes of `count` latent rows.
  ///
  /// - Parameters:
  ///   - latents: (count, D).
  ///   - books: how many codebooks are used, 1 … K.
  ///   - codes: receives (count, books), the codes of one step side by side.
  ///   - row: the row of `codes` that the first step goes to.
  ///   - workspace: at least `workspaceCount` floats, overwritten.
  package func encode(
    _ latents: Span<Float>, count: Int, books: Int, into codes: inout MutableSpan<Int32>,
    at row: Int = 0, workspace: inout MutableSpan<Float>, pool: ComputePool
  ) {
    precondition(
      latents.count >= count * width && codes.count >= (row + count) * books
        && workspace.count >= workspaceCount && books >= 1 && books <= codebooks,
      "shapes do not fit")
    var first = 0
    while first < count {
      let rows = min(Self.blockRows, count - first)
      for i in 0..<rows * width { workspace[i] = latents[first * width + i] }
      for book in 0..<books {
        subtractNearest(
          book: book, rows: rows, first: row + first, books: books, codes: &codes,
          workspace: &workspace,
          pool: pool)
      }
      first += rows
    }
  }

  /// Codes the rows left over by one codebook and subtracts its entries. The workspace begins with the
  /// rows (rows, D), then has room for the products (rows, V).
  private func subtractNearest(
    book: Int, rows: Int, first: Int, books: Int, codes: inout MutableSpan<Int32>,
    workspace: inout MutableSpan<Float>, pool: ComputePool
  ) {
    let (entries, squares) = (entries[book], squares[book])
    let (table, norms) = (entries.span, squares.span)
    let products = Self.blockRows * width
    unsafe workspace.withUnsafeMutableBufferPointer { workspace in
      let residual = unsafe Span(_unsafeStart: workspace.baseAddress!, count: rows * width)
      var product = unsafe MutableSpan(
        _unsafeStart: workspace.baseAddress! + products, count: rows * cardinality)
      matrixProduct(
        residual, table, transposeB: true, m: rows, n: cardinality, k: width, alpha: 2,
        into: &product)
    }
    for row in 0..<rows {
      var length: Float = 0
      for i in row * width..<(row + 1) * width { length += workspace[i] * workspace[i] }
      var (best, code) = (Float.infinity, 0)
      let start = products + row * cardinality
      for candidate in 0..<cardinality {
        let distance = (length - workspace[start + candidate]) + norms[candidate]
        if distance < best { (best, code) = (distance, candidate) }
      }
      codes[(first + row) * books + book] = Int32(code)
      for i in 0..<width { workspace[row * width + i] -= table[code * width + i] }
    }
  }

  /// The sums of the codes' entries.
  ///
  /// - Parameters:
  ///   - codes: (count, books), each 0 ..< V; see `check`.
  ///   - latents: receives (count, D).
  package func decode(
    _ codes: Span<Int32>, count: Int, books: Int, into latents: inout MutableSpan<Float>
  ) {
    precondition(
      codes.count >= count * books && latents.count >= count * width && books <= codebooks,
      "shapes do not fit")
    for i in 0..<count * width { latents[i] = 0 }
    for book in 0..<books {
      let entries = entries[book]
      let table = entries.span
      for row in 0..<count {
        let code = Int(codes[row * books + book])
        precondition(code >= 0 && code < cardinality, "a code is outside the codebook")
        for i in 0..<width { latents[row * width + i] += table[code * width + i] }
      }
    }
  }

  /// Checks codes from outside.
  ///
  /// - Parameter codes: (count, books).
  /// - Throws: `EnCodecError.codeOutOfRange`.
  package func check(_ codes: [Int32], books: Int) throws {
    for (index, code) in codes.enumerated() where code < 0 || code >= cardinality {
      throw EnCodecError.codeOutOfRange(
        code: Int(code), codebook: index % books, step: index / books, cardinality: cardinality)
    }
  }
}
