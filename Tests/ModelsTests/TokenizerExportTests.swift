import Foundation
import Models
import TestSupport
import Testing

@Suite("Exported tokenizer")
struct TokenizerExportTests {
  private func folder(_ json: Data) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try json.write(to: folder.file("tokenizer.json"))
    return folder
  }

  @Test("tokenizer.json gives the ids of spiece.model, for every string, and those of transformers")
  func sameIds() throws {
    let folder = try folder(Data(contentsOf: fixture("tokenizer/tokenizer.json")))
    let tokenizer = try TextTokenizer(directory: folder.url)
    let expected = try ExpectedIds.load()
    for case_ in expected.written {
      #expect(try tokenizer.ids(ofBytes: Array(case_.text)) == case_.ids)
    }
    for sentence in expected.transformers {
      #expect(try tokenizer.ids(of: sentence.text) == sentence.ids)
    }
  }

  @Test(
    "files that are no unigram vocabulary are refused with what is wrong",
    arguments: [
      ("", "shape"), ("{}", "shape"), ("[1,2]", "shape"),
      (#"{"model":{"type":"BPE","unk_id":0,"vocab":[["a",0]]}}"#, "BPE"),
      (#"{"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0]]}}"#, "end-of-sentence"),
      (#"{"model":{"type":"Unigram","unk_id":9,"vocab":[["</s>",0]]}}"#, "unk_id"),
      (
        #"{"model":{"type":"Unigram","unk_id":1,"vocab":[["</s>",0],["u",0]]},"normalizer":{"precompiled_charsmap":"?"}}"#,
        "base64"
      ),
    ])
  func refused(json: String, reason: String) throws {
    let folder = try folder(Data(json.utf8))
    #expect {
      try TextTokenizer(directory: folder.url)
    } throws: { "\($0)".contains(reason) && "\($0)".contains("tokenizer.json") }
  }
}
