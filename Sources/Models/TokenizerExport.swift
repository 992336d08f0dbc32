// Reads the `tokenizer.json` of a T5 tokenizer and rewrites it as a SentencePiece model in memory.
//
// Exports of transformers 5 and later hold no `spiece.model`. The JSON has the same facts: pieces with
// scores, the precompiled normalisation table, T5's ids. So SentencePiece itself does the work for both.
// Source: sentencepiece_model.proto for the fields; tokenizers' JSON for the names.

import Foundation
import Reporting

enum TokenizerExport {
  /// Largest file that is read; T5's has 2.4 MB.
  private static let byteLimit = 64 << 20

  /// The SentencePiece model that says what `file` says.
  /// - Throws: `TextTokenizerError.broken` that names what is missing.
  static func sentencePieceModel(contentsOf file: URL) throws -> Data {
    func broken(_ reason: String) -> TextTokenizerError { .broken(path: file.path, reason: reason) }
    guard let values = try? file.resourceValues(forKeys: [.fileSizeKey]), let size = values.fileSize
    else { throw broken("it cannot be read") }
    guard size <= byteLimit else { throw broken("\(size) bytes are too many") }
    guard let bytes = try? Data(contentsOf: file) else { throw broken("it cannot be read") }
    let export: Export
    do { export = try JSONDecoder().decode(Export.self, from: bytes) } catch {
      throw broken("it does not have the shape of a unigram tokenizer")
    }
    guard export.model.type == "Unigram" else {
      throw broken("its model is \(printable(export.model.type)), not Unigram")
    }
    let names = export.model.vocab.map(\.name)
    guard let end = names.firstIndex(of: "</s>") else {
      throw TextTokenizerError.noEndOfSentence(path: file.path)
    }
    guard names.indices.contains(export.model.unk_id) else {
      throw broken("unk_id is out of range")
    }
    var table = Data()
    if let text = export.normalizer?.table {
      guard let decoded = Data(base64Encoded: text) else {
        throw broken("its normalisation table is not base64")
      }
      table = decoded
    }

    let marks = Set(export.added_tokens?.filter(\.special).map(\.content) ?? [])
    var model = ProtocolBuffer()
    for (id, entry) in export.model.vocab.enumerated() {
      var piece = ProtocolBuffer()
      piece.append(1, entry.name)
      piece.append(2, entry.score)
      // 1 normal, 2 unknown, 3 control: a mark that text never matches.
      piece.append(3, number: id == export.model.unk_id ? 2 : marks.contains(entry.name) ? 3 : 1)
      model.append(1, piece.bytes)
    }
    var training = ProtocolBuffer()
    training.append(3, number: 1)  // model_type: unigram
    training.append(4, number: UInt64(names.count))
    training.append(40, number: UInt64(export.model.unk_id))
    training.append(41, number: UInt64(bitPattern: -1))  // no beginning of sentence
    training.append(42, number: UInt64(end))
    training.append(
      43, number: names.firstIndex(of: "<pad>").map(UInt64.init) ?? UInt64(bitPattern: -1))
    model.append(2, training.bytes)
    var normalisation = ProtocolBuffer()
    normalisation.append(2, table)
    // Leading and single spaces, as "▁".
    for field in 3...5 { normalisation.append(field, number: 1) }
    model.append(3, normalisation.bytes)
    return model.bytes
  }
}

/// The parts of `tokenizer.json` that matter; field names are the file's.
private struct Export: Decodable {
  struct Model: Decodable {
    let type: String
    let unk_id: Int
    let vocab: [Piece]
  }
  struct Piece: Decodable {
    let name: String
    let score: Float

    init(from decoder: any Decoder) throws {
      var pair = try decoder.unkeyedContainer()
      name = try pair.decode(String.self)
      score = try pair.decode(Float.self)
    }
  }
  struct Normalizer: Decodable {
    let precompiled_charsmap: String?
    let normalizers: [Normalizer]?
    /// The table in this normaliser or in one that it holds.
    var table: String? { precompiled_charsmap ?? normalizers?.lazy.compactMap(\.table).first }
  }
  struct Mark: Decodable {
    let content: String
    let special: Bool
  }
  let model: Model
  let normalizer: Normalizer?
  let added_tokens: [Mark]?
}

/// Bytes in protocol-buffer wire format, as much of it as is needed here.
private struct ProtocolBuffer {
  var bytes = Data()

  mutating func append(_ field: Int, number value: UInt64) {
    varint(UInt64(field << 3))
    varint(value)
  }
  mutating func append(_ field: Int, _ value: Float) {
    varint(UInt64(field << 3 | 5))
    for shift in stride(from: 0, to: 32, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(shift)))
    }
  }
  mutating func append(_ field: Int, _ value: Data) {
    varint(UInt64(field << 3 | 2))
    varint(UInt64(value.count))
    bytes.append(value)
  }
  mutating func append(_ field: Int, _ value: String) { append(field, Data(value.utf8)) }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
