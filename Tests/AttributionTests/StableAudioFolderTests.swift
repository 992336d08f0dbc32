import Foundation
import Kernels
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("A folder of pre-encoded latents")
struct StableAudioFolderTests {
  @Test("reads a folder of pre-encoded arrays as it is")
  func numpy() throws {
    let folder = try TemporaryFolder()
    let data = numpyArray([1, 2, 3, 4, 5, 6.5], shape: [2, 3])
    try data.write(to: folder.file("a.npy"))
    try Data(#"{"prompt": "piano", "padding_mask": [1, 1, 0]}"#.utf8).write(
      to: folder.file("a.json"))
    let catalogue = try Catalogue(folder: folder.url)
    #expect(catalogue.kind == .latents)
    let item = try catalogue.item("a")
    #expect(item.mask == [true, true, false])
    guard case .latent(let values, let channels, _, _, _) = item.content else {
      Issue.record("no latent")
      return
    }
    #expect(values == [1, 2, 3, 4, 5, 6.5] && channels == 2)
    try data.dropLast(2).write(to: folder.file("a.npy"))
    #expect(throws: AttributionError.self) { try catalogue.item("a") }
  }

  private func read(_ data: Data) throws -> (shape: [Int], values: [Float]) {
    try numpyFloats(data, file: "x.npy")
  }

  @Test("both versions of the format are read")
  func versions() throws {
    for version: UInt8 in [1, 2, 3] {
      let found = try read(numpyArray([1, -2, 3], shape: [3], version: version))
      #expect(found.shape == [3] && found.values == [1, -2, 3])
    }
  }

  @Test("half precision becomes single")
  func halves() throws {
    // 1, −2, the largest half, and the smallest.
    var data = numpyArray([], shape: [2, 2], words: [("<f4", "<f2")])
    data.append(contentsOf: [0x00, 0x3C, 0x00, 0xC0, 0xFF, 0x7B, 0x01, 0x00])
    #expect(
      try read(data).values == [1, -2, 65504, Float(sign: .plus, exponent: -24, significand: 1)])
  }

  @Test(
    "what is no array of floats, row by row, is refused",
    arguments: [
      ("'fortran_order': False", "'fortran_order': True"), ("<f4", ">f4"), ("<f4", "<i4"),
      ("<f4", "<f8"), ("'shape': (2, 2,)", "'shape': ()"), ("'shape': (2, 2,)", "'shape': (0, 4,)"),
      ("'shape': (2, 2,)", "'shape': (-2, -2,)"), ("'shape': (2, 2,)", "'shape': (2, 3,)"),
      ("'shape': (2, 2,)", "'shape': (1, 1, 1, 2, 2,)"), ("'shape'", "'size'"),
      ("'shape': (2, 2,)", "'shape': (99999999, 99999999, 99999999,)"), ("(2, 2,)", "(2, 2,"),
    ])
  func refusals(old: String, new: String) {
    #expect(throws: AttributionError.self) {
      try read(numpyArray([1, 2, 3, 4], shape: [2, 2], words: [(old, new)]))
    }
  }

  @Test("numbers that are none, and files that break off anywhere, are refused")
  func broken() throws {
    #expect(throws: AttributionError.self) { try read(numpyArray([1, .nan], shape: [2])) }
    #expect(throws: AttributionError.self) { try read(numpyArray([1, .infinity], shape: [2])) }
    let whole = numpyArray([1, 2], shape: [2])
    for length in 0..<whole.count {
      #expect(throws: AttributionError.self) { try read(whole.prefix(length)) }
    }
    #expect(throws: AttributionError.self) { try read(whole + [0]) }
    // A header's length that leads far behind the file.
    var long = numpyArray([1, 2], shape: [2], version: 2)
    for place in 8..<12 { long[place] = 0xFF }
    #expect(throws: AttributionError.self) { try read(long) }
  }

  @Test("files in folders below have their path as id, and other files are left alone")
  func folders() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      at: folder.file("sub/deep"), withIntermediateDirectories: true)
    for name in ["b", "sub/a", "sub/deep/c"] {
      try numpyArray([1, 2], shape: [1, 2]).write(to: folder.file(name + ".npy"))
    }
    try Data().write(to: folder.file("readme.txt"))
    try Data("{".utf8).write(to: folder.file("b.json"))
    let source = try StableAudioFolder(folder: folder.url)
    #expect(source.tracks.map(\.id) == ["b", "sub/a", "sub/deep/c"])
    #expect(source.has("sub/a") && !source.has("a"))
    #expect(try source.item("sub/deep/c").frames == 2)
    #expect(throws: AttributionError.self) { try source.item("nothing") }
    #expect(throws: AttributionError.self) { try StableAudioFolder(folder: folder.file("none")) }
  }

  @Test("what the files beside say is taken over under any of its names, cleaned")
  func metadata() throws {
    let folder = try TemporaryFolder()
    try numpyArray([1, 2, 3, 4], shape: [2, 2]).write(to: folder.file("a.npy"))
    try Data(
      #"""
      {"relpath": "x/y\u0007.wav", "artist": "Ann", "license": "CC0", "tags": "drums", "seconds_total": 2.5,
       "padding_mask": [1, 0, 1]}
      """#.utf8
    ).write(to: folder.file("a.json"))
    let source = try StableAudioFolder(folder: folder.url)
    let track = source.tracks[0]
    #expect(track.title == "x/y?.wav" && track.artist == "Ann" && track.licence == "CC0")
    #expect(track.tags == "drums" && track.seconds == 2.5)
    #expect(try source.item("a").mask == nil, "a mask of another length is none")
  }

  @Test("an array that is no latent is refused by name")
  func shapes() throws {
    let folder = try TemporaryFolder()
    try numpyArray([1, 2], shape: [2]).write(to: folder.file("flat.npy"))
    let source = try StableAudioFolder(folder: folder.url)
    do {
      _ = try source.item("flat")
      Issue.record("it was accepted")
    } catch let error as AttributionError { #expect(error.problem.contains("(channels, frames)")) }
  }
}
