import Foundation
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Catalogue")
struct CatalogueTests {
  @Test("gives what is said about tracks and their music")
  func opens() throws {
    let tiny = try TinyDiffusion()
    let catalogue = try Catalogue(folder: tiny.catalogue)
    #expect(catalogue.tracks.count == 9)
    #expect(try catalogue.track("track-3").title == "Track <3>")
    let item = try catalogue.item("track-3")
    #expect(item.frames == 20)
    #expect(throws: AttributionError.noTrack(id: "x", catalogue: tiny.catalogue.path)) {
      try catalogue.item("x")
    }
  }

  @Test("has the same fingerprint for the same music, another for other music")
  func fingerprint() throws {
    let folders = [try TinyDiffusion(), try TinyDiffusion(), try TinyDiffusion(tracks: 8)]
    let prints = try folders.map { try Catalogue(folder: $0.catalogue).fingerprint() }
    #expect(prints[0] == prints[1])
    #expect(prints[0] != prints[2])
  }

  @Test("is refused when newer, without music, or when an id occurs twice")
  func refusals() throws {
    let tiny = try TinyDiffusion()
    let file = tiny.catalogue.appendingPathComponent("catalogue.json")
    func write(_ text: String) throws { try Data(text.utf8).write(to: file) }
    try write(#"{"version": 2, "tracks": [{"id": "track-0"}]}"#)
    #expect(throws: AttributionError.newerCatalogue(file: file.path, version: 2)) {
      try Catalogue(folder: tiny.catalogue)
    }
    try write(#"{"tracks": [{"id": "missing"}]}"#)
    #expect(throws: AttributionError.self) { try Catalogue(folder: tiny.catalogue) }
    try write(#"{"tracks": [{"id": "track-0"}, {"id": "track-0"}]}"#)
    #expect(throws: AttributionError.self) { try Catalogue(folder: tiny.catalogue) }
    try write("[]")
    #expect(throws: AttributionError.self) { try Catalogue(folder: tiny.catalogue) }
  }

  @Test("truncated latents are refused, whatever the length")
  func truncated() throws {
    let tiny = try TinyDiffusion()
    let file = tiny.catalogue.appendingPathComponent("latents.safetensors")
    let whole = try Data(contentsOf: file)
    for length in [0, 7, 8, 100, whole.count - 1] {
      try whole.prefix(length).write(to: file)
      #expect(throws: (any Error).self) { try Catalogue(folder: tiny.catalogue) }
    }
  }
}
