// Text to the ids of a T5 text encoder, by SentencePiece.
//
// In: any text, any bytes. Out: ids, the end-of-sentence id last (T5's convention).
// Source: SentencePiece (unigram), `T5Tokenizer` of transformers. For ordinary text both give the same
// ids. They differ where a text holds the tokenizer's own marks ("</s>", "<extra_id_0>"): transformers
// takes them as marks, SentencePiece and this file as text, so that no prompt can end the sentence early.

import CSentencePiece
package import Foundation
package import Reporting

/// A vocabulary that cannot be used.
package enum TextTokenizerError: Explained, Equatable {
  case missing(directory: String)
  case broken(path: String, reason: String)
  case noEndOfSentence(path: String)
  case refused(bytes: Int)

  package var kind: FailureKind {
    switch self {
    case .missing: .noInput
    case .broken, .noEndOfSentence, .refused: .data
    }
  }
  package var problem: String {
    switch self {
    case .missing(let directory): "\(directory) has neither spiece.model nor tokenizer.json"
    case .broken(let path, let reason): "\(path) holds no vocabulary that can be read (\(reason))"
    case .noEndOfSentence(let path): "\(path) has no end-of-sentence piece, so it is not T5's"
    case .refused(let bytes): "SentencePiece refuses a text of \(bytes) bytes"
    }
  }
  package var remedy: String {
    switch self {
    case .missing:
      "download one of them from where the model came from, or render without --text"
    case .broken, .noEndOfSentence: "download the file again"
    case .refused: "shorten the text"
    }
  }
}

/// A loaded vocabulary. Encoding changes nothing in it: any thread may use it.
///
/// Safe: the pointer never leaves this type and is freed once, in `deinit`; buffers are handed over with
/// their true sizes; SentencePiece's `Encode` is const and documented as thread-safe.
@safe package final class TextTokenizer: @unchecked Sendable {
  private let processor: OpaquePointer
  /// Id that ends every text.
  package let endOfSentence: Int32
  /// Number of pieces; every id is below it.
  package let count: Int

  /// Loads the vocabulary of a model directory: `spiece.model`, or where there is none (exports of
  /// transformers 5 and later) the unigram vocabulary of `tokenizer.json`.
  /// - Throws: `TextTokenizerError`.
  package convenience init(directory: URL) throws {
    let model = directory.appendingPathComponent("spiece.model")
    let exported = directory.appendingPathComponent("tokenizer.json")
    if FileManager.default.fileExists(atPath: model.path) {
      try self.init(contentsOf: model)
    } else if FileManager.default.fileExists(atPath: exported.path) {
      try self.init(
        bytes: TokenizerExport.sentencePieceModel(contentsOf: exported), path: exported.path)
    } else {
      throw TextTokenizerError.missing(directory: directory.path)
    }
  }

  /// Loads a `spiece.model` file.
  /// - Throws: `TextTokenizerError`.
  package convenience init(contentsOf file: URL) throws {
    let bytes: Data
    do { bytes = try Data(contentsOf: file) } catch {
      throw TextTokenizerError.broken(path: file.path, reason: "it cannot be read")
    }
    try self.init(bytes: bytes, path: file.path)
  }

  /// - Parameters:
  ///   - bytes: a serialised SentencePiece model.
  ///   - path: the file that errors name.
  init(bytes: Data, path: String) throws {
    var message = [CChar](repeating: 0, count: 512)
    let loaded = unsafe bytes.withUnsafeBytes { bytes in
      unsafe bytes.baseAddress.flatMap {
        unsafe continuo_sentencepiece_load_bytes($0, bytes.count, &message, message.count)
      }
    }
    guard let loaded = unsafe loaded else {
      let words = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      throw TextTokenizerError.broken(
        path: path,
        reason: words.isEmpty ? "empty" : printable(String(decoding: words, as: UTF8.self)))
    }
    unsafe processor = loaded
    endOfSentence = unsafe continuo_sentencepiece_eos(loaded)
    count = Int(unsafe continuo_sentencepiece_size(loaded))
    guard endOfSentence >= 0 else { throw TextTokenizerError.noEndOfSentence(path: path) }
  }

  deinit { unsafe continuo_sentencepiece_free(processor) }

  /// Ids of `text`, the end-of-sentence id last; an empty text is that id alone.
  /// - Throws: `TextTokenizerError.refused`.
  package func ids(of text: String) throws -> [Int32] { try ids(ofBytes: Array(text.utf8)) }

  /// Ids of bytes that should be UTF-8; what is not becomes unknown pieces, as in SentencePiece.
  /// - Throws: `TextTokenizerError.refused`.
  package func ids(ofBytes bytes: [UInt8]) throws -> [Int32] {
    // Pieces cover at least one byte each, but normalisation may make a text longer: ask first.
    let total = unsafe encode(bytes, into: nil, capacity: 0)
    guard total >= 0 else { throw TextTokenizerError.refused(bytes: bytes.count) }
    var ids = [Int32](repeating: 0, count: total)
    guard unsafe encode(bytes, into: &ids, capacity: total) == total else {
      throw TextTokenizerError.refused(bytes: bytes.count)
    }
    return ids + [endOfSentence]
  }

  private func encode(
    _ bytes: [UInt8], into ids: UnsafeMutablePointer<Int32>?, capacity: Int
  ) -> Int {
    // One byte more, so that an empty text has an address too.
    let text = bytes.map { CChar(bitPattern: $0) } + [0]
    return Int(unsafe continuo_sentencepiece_encode(processor, text, bytes.count, ids, capacity))
  }
}
