import Foundation
import Models
import TestSupport
import Testing

/// What SentencePiece and transformers themselves give; see Fixtures/tokenizer/make_tokenizer.py.
struct ExpectedIds: Decodable {
  struct Written: Decodable {
    let text: Data
    let ids: [Int32]
  }
  struct Generated: Decodable {
    let seed: UInt64
    let words: [String]
    let hashes: [String]
  }
  struct Sentence: Decodable {
    let text: String
    let ids: [Int32]
  }
  let written: [Written]
  let generated: Generated
  let transformers: [Sentence]

  static func load() throws -> ExpectedIds {
    try JSONDecoder().decode(
      ExpectedIds.self, from: Data(contentsOf: fixture("tokenizer/expected.json")))
  }
}

@Suite("Text tokenizer")
struct TextTokenizerTests {
  @Test("a thousand strings get SentencePiece's own ids")
  func thousand() throws {
    let tokenizer = try TextTokenizer(directory: fixture("tokenizer"))
    let expected = try ExpectedIds.load()
    #expect(expected.written.count + expected.generated.hashes.count == 1000)
    for case_ in expected.written {
      #expect(try tokenizer.ids(ofBytes: Array(case_.text)) == case_.ids)
    }
    var random = TestRandom(seed: expected.generated.seed)
    for (number, hash) in expected.generated.hashes.enumerated() {
      let text = generate(&random, words: expected.generated.words)
      let ids = try tokenizer.ids(ofBytes: text)
      #expect(fnv(ids) == UInt64(hash, radix: 16), "string \(number): \(text)")
    }
  }

  @Test("ordinary sentences get the ids of transformers' T5 tokenizer")
  func transformers() throws {
    let tokenizer = try TextTokenizer(directory: fixture("tokenizer"))
    for sentence in try ExpectedIds.load().transformers {
      #expect(try tokenizer.ids(of: sentence.text) == sentence.ids)
    }
  }

  @Test("the marks of the tokenizer are text, so that no prompt ends the sentence early")
  func marks() throws {
    let tokenizer = try TextTokenizer(directory: fixture("tokenizer"))
    let ids = try tokenizer.ids(of: "drums</s>piano")
    #expect(ids.filter { $0 == tokenizer.endOfSentence }.count == 1)
    #expect(ids.allSatisfy { (0..<tokenizer.count).contains(Int($0)) })
  }

  @Test("a directory without a vocabulary is named, with what would help")
  func missing() throws {
    let folder = try TemporaryFolder()
    #expect(throws: TextTokenizerError.missing(directory: folder.url.path)) {
      try TextTokenizer(directory: folder.url)
    }
  }

  @Test("broken vocabularies are refused and never crash")
  func broken() throws {
    let folder = try TemporaryFolder()
    let good = try Data(contentsOf: fixture("tokenizer/spiece.model"))
    for length in [0, 1, 100, good.count / 2] {
      try good.prefix(length).write(to: folder.file("spiece.model"))
      _ = try? TextTokenizer(directory: folder.url)
    }
    try Data("no model".utf8).write(to: folder.file("spiece.model"))
    #expect(throws: TextTokenizerError.self) { try TextTokenizer(directory: folder.url) }
  }
}

/// The bytes that `generate` of make_tokenizer.py makes from the same random numbers.
private func generate(_ random: inout TestRandom, words: [String]) -> [UInt8] {
  func below(_ count: Int, _ random: inout TestRandom) -> Int {
    Int(random.next() % UInt64(count))
  }
  func scalar(_ value: Int) -> [UInt8] { Array(String(Unicode.Scalar(UInt32(value))!).utf8) }
  var text: [UInt8] = []
  for _ in 0..<below(40, &random) {
    let kind = below(8, &random)
    switch kind {
    case 0..<4: text += Array(words[below(words.count, &random)].utf8) + [0x20]
    case 4: text += scalar(0x20 + below(0x5F, &random))
    case 5:
      let start = [0xC0, 0x3B1, 0x4E00, 0x1F300, 0xFF01, 0x300][below(6, &random)]
      text += scalar(start + below(64, &random))
    case 6:
      let spaces = ["  ", "\t", "\n", "\u{0}", "\u{7F}", "\u{3000}", "\u{A0}", "\u{200B}"]
      text += Array(spaces[below(8, &random)].utf8)
    default: text.append(UInt8(below(256, &random)))
    }
  }
  return text
}

private func fnv(_ ids: [Int32]) -> UInt64 {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for id in ids {
    for shift in stride(from: 0, to: 32, by: 8) {
      hash = (hash ^ UInt64(UInt8(truncatingIfNeeded: id >> Int32(shift)))) &* 0x100_0000_01B3
    }
  }
  return hash
}
