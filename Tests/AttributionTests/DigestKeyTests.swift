import Testing

@testable import Attribution

@Suite("Digest key")
struct DigestKeyTests {
  @Test("is SHA-256 over lengths and parts, cut to 32 digits")
  func known() {
    // printf '2:ab1:c' | sha256sum | cut -c1-32
    #expect(DigestKey(["ab", "c"]).text == "430fb1b4ac43316eca81fab27a1930ab")
    // printf '5:grün' | sha256sum: lengths are in bytes.
    #expect(DigestKey(["grün"]).text == "82cd6cb6f0f1e5ad9da7cc7064fadf35")
  }

  @Test("parts cannot run into each other")
  func separate() {
    let keys = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], ["c", "ab"], []]
      .map { DigestKey($0).text }
    #expect(Set(keys).count == keys.count)
    #expect(keys.allSatisfy { $0.count == 32 && $0.allSatisfy(\.isHexDigit) })
    // Not even where a part looks like another part's length.
    #expect(DigestKey(["1:a", "b"]).text != DigestKey(["1", "a1:b"]).text)
  }
}
