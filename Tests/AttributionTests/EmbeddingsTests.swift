import Foundation
import Models
import TestSupport
import Testing

@testable import Attribution

@Suite("Supplied embeddings")
struct EmbeddingsTests {
  @Test("are a ranking of their own, from a file and from a folder alike")
  func ranking() throws {
    let tiny = try TinyDiffusion()
    let vectors: [(String, [Float])] = (0..<9).map {
      (TinyDiffusion.id($0), [Float(cos(Double($0) * 0.3)), Float(sin(Double($0) * 0.3))])
    }
    let file = tiny.folder.file("clap.safetensors")
    try SafetensorsWriter.write(
      vectors.map { .init(name: $0.0, shape: [2], floats: $0.1) }, to: file)
    let folder = tiny.folder.file("clap")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (id, values) in vectors {
      try numpyArray(values, shape: [values.count]).write(
        to: folder.appendingPathComponent(id + ".npy"))
    }
    for place in [file, folder] {
      var request = tiny.request(track: 2)
      request.embeddings = place.path
      let found = try AttributionRun(
        request, store: try tiny.store(place.lastPathComponent + ".sqlite"),
        cache: tiny.folder.file("cache")
      ) { _ in }.run()
      let own = try #require(found.first { $0.method == "embedding similarity" })
      #expect(own.kind == "similarity" && own.tracks.count == 9)
      #expect(own.tracks[0].track.id == "track-2")
      #expect(Set(own.tracks[1...2].map(\.track.id)) == ["track-1", "track-3"])
      #expect(abs(own.tracks[1].score - cos(0.3)) < 1e-6)
    }
  }

  @Test("that are missing, uneven or not numbers are refused by name")
  func refusals() throws {
    let folder = try TemporaryFolder()
    let file = folder.file("e.safetensors")
    try SafetensorsWriter.write(
      [
        .init(name: "piece", shape: [2], floats: [1, 2]),
        .init(name: "a", shape: [3], floats: [1, 2, 3]),
        .init(name: "b", shape: [2], floats: [1, .nan]),
      ], to: file)
    let embeddings = try Embeddings(contentsOf: file)
    for (tracks, words) in [(["a"], "3 numbers"), (["b"], "not numbers"), (["c"], "“c”")] {
      do {
        _ = try embeddings.vectors(piece: "piece", tracks: tracks)
        Issue.record("\(tracks) were accepted")
      } catch let error as AttributionError { #expect(error.problem.contains(words)) }
    }
    #expect(throws: AttributionError.self) {
      try Embeddings(contentsOf: folder.file("nothing"))
    }
  }
}
